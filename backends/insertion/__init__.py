"""Insertion models."""
