"""Corpora that are made up: conversations, and voices that can be listened to."""
