"""Constraints on texts with gaps: which token may be inserted where, and when the text may end."""
