"""Inference methods: how the posterior of a program is explored, one a file."""
