"""Inference: from programs to posteriors."""
