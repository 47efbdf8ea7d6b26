"""Scores, intervals and probes; scikit-learn and scipy compute."""
