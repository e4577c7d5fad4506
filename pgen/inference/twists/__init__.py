"""Estimates of what is still to come, which steer draws without changing the posterior."""
