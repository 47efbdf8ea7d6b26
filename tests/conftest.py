"""What every test shares: eight simulated devices."""

import jax

# Before JAX is used for anything: the sharding tests need more than one device.
jax.config.update("jax_num_cpu_devices", 8)
