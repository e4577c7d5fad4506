"""Languages: sets of texts as immutable values."""
