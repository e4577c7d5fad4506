"""Models that give the conditionals of any positions given any others."""
