"""From the start of a process to the end of its first train step; for `speed.py`.

    python -m benchmarks.first_step SOURCE REPLICAS

prints seconds as JSON. JAX's own variable JAX_COMPILATION_CACHE_DIR names the cache.
"""

import json
import os
import sys
import time


def first_step(source: str, replicas: int) -> dict[str, float]:
    """Seconds of each part of the way to the first step."""
    marks = [("", time.perf_counter())]

    def mark(part: str) -> None:
        marks.append((part, time.perf_counter()))

    import jax

    from benchmarks import contestants
    from dann_jax.training.compilation import (
        measure_compilations,
        use_compilation_cache,
    )
    from dann_jax.training.feed import Feed
    from dann_jax.training.predict import make_batch

    # As dann-train does.
    use_compilation_cache()
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    mark("import")
    with measure_compilations() as compilations:
        world = contestants.open_world(source)
        layout = contestants.layout_of(world, replicas)
        feed = Feed(world.task.training, layout)
        outline = make_batch(world.plan, feed.outline, layout, 0, shuffle=True)
        batch = feed(outline)
        mark("corpus and batch")
        program, state = contestants.start(world, layout, [batch])
        jax.block_until_ready(state)
        mark("initial state")
        arguments = state, batch, layout.put(layout.strength())
        step = program.train_step.lower(*arguments).compile()
        mark("program of the step")
        jax.block_until_ready(step(*arguments))
        mark("the step itself")
    parts = {
        part: now - before
        for (_, before), (part, now) in zip(marks, marks[1:], strict=False)
    }
    return parts | {
        "of which compiling": compilations.seconds,
        "total": sum(parts.values()),
    }


if __name__ == "__main__":
    print(json.dumps(first_step(sys.argv[1], int(sys.argv[2]))))
