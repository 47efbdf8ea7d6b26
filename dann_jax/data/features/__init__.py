"""Feature arrays from recordings and transcripts, with their provenance."""
