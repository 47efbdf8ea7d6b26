"""From trained networks to `results.json`, one module a kind of protocol."""
