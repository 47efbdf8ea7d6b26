"""What knows nothing of speech or of training."""
