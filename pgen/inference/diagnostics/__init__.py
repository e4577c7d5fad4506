"""What a posterior is worth: effective sizes, bounds, convergence, and where the mass goes."""
