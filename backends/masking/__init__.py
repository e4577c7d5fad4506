"""Kernels over packed token masks."""
