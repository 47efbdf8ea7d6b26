"""What studies do to a protocol or a score that the library never should."""
