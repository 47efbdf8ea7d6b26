"""A corpus under a protocol: roles, splits, guards, domains, batches."""
