"""Byte-level machines."""
