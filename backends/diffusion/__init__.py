"""Masked-diffusion models."""
