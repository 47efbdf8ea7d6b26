"""Synthetic corpora: features of conversations, and audio of voices."""
