"""Helpers that are independent of speech and training."""
