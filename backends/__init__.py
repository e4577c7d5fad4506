"""Models behind the protocols of `pgen.backends.base`."""
