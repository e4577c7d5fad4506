"""The bundled molecule models: weights and vocabulary, trained by `pgen.backends.training`."""
