"""Corpora: reading them, their features, and their prepared stores."""
