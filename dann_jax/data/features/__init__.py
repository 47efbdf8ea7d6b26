"""From recordings and transcripts to feature arrays that say how they were made."""
