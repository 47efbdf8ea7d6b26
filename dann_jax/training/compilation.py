"""How long XLA compiles, and a cache so that it does so once a machine."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator

import jax
from etils import epath

_COMPILED = "/jax/core/compile/backend_compile_duration"


@dataclasses.dataclass
class Compilations:
    """What was compiled while `measure_compilations` was open."""

    count: int = 0
    seconds: float = 0.0


@contextlib.contextmanager
def measure_compilations() -> Iterator[Compilations]:
    """Count the programs that XLA compiles, and the seconds it takes."""
    total = Compilations()

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILED:
            total.count += 1
            total.seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield total
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def use_compilation_cache() -> None:
    """Keep compiled programs in the user's cache folder, unless JAX was told where."""
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        home = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        folder = epath.Path(home).expanduser() / "dann_jax" / "xla"
        jax.config.update("jax_compilation_cache_dir", str(folder))
    # By default what compiles within a second is left out: a third of a start.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
