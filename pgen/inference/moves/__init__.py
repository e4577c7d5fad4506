"""Markov kernels on runs and texts, for `MCMC` and for methods that move their particles."""
