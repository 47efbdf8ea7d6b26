"""Peers on the same features and folds: skada, and the arms in between."""
