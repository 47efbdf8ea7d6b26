"""State, steps, replicas, the loop, and what it leaves on disk."""
