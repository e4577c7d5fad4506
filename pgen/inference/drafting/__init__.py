"""How texts are drawn inside of a run, with proper weights: a drafter for each kind of model."""
