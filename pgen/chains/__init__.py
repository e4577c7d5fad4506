"""Exact inference over positions that are independent given a finite automaton: sums, maxima, samples."""
