"""The language users write: primitives, text distributions, and the machine that runs programs."""
