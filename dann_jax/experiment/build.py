"""From a config to what it describes: data under a protocol, replicas, a program.

Its sections are handed on as plain arguments to the constructors that they mirror.
"""

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flax import linen as nn
from ml_collections import ConfigDict

from dann_jax.data.corpus import Corpus
from dann_jax.data.layers import layers_of
from dann_jax.data.open import open_corpus
from dann_jax.evaluation.analysis.options import require_analysis
from dann_jax.experiment.checks import check_config
from dann_jax.experiment.estimate import require_memory_for_roles
from dann_jax.experiment.unused import require_frames, require_layers
from dann_jax.models import network
from dann_jax.objectives import OBJECTIVES
from dann_jax.objectives.penalised import penalty_strength_names
from dann_jax.tasks.guards import refuse_unused_leak_allowances
from dann_jax.tasks.oracle import TARGET_ONLY
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol
from dann_jax.tasks.row_counts import describe_rows, describe_unknown_emotions
from dann_jax.tasks.speaker_statistics import Standardisation, standardisation
from dann_jax.tasks.task import Task, make_task
from dann_jax.training.optimizer import make_optimizer
from dann_jax.training.program import Program, make_program
from dann_jax.training.replicas import ReplicaLayout, make_mesh, spare_data_shards
from dann_jax.training.schedules import STRENGTH_SCHEDULES
from dann_jax.training.timetable import Timetable
from dann_jax.utils.arguments import call_checked, check, require
from dann_jax.utils.named import lookup

_log = logging.getLogger(__name__)


def build_task_and_layout(
    config: ConfigDict, *, data_parallel: int = 1, describe: bool = True
) -> tuple[Task, ReplicaLayout]:
    """What is learned from, and how many times over.

    Args:
      config: of the run.
      data_parallel: devices that share the batches of one (fold, seed); 0 for as many
        as there are to spare. The loss is that of one device, the dropout is not: it
        is another one in each part.
      describe: whether the log says what the rows are.
    """
    check_config(config)
    corpus = open_data(config)
    require_memory_for_roles(
        corpus,
        config.protocol.split,
        config.protocol.get("split_args", {}),
        adversaries=len(config.adversaries),
        replicas=config.seeds * len(config.arms),
    )
    labels = config.protocol.labels
    if labels and config.protocol.get("label_column", "emotion") == "emotion":
        # Before a protocol is refused for want of the labels that they should be.
        for line in describe_unknown_emotions(corpus, labels):
            _log.warning("%s", line)
    protocol = call_checked("config.protocol", make_protocol, corpus, **config.protocol)
    if not config.protocol.get("oracle"):
        refuse_unused_leak_allowances(
            protocol, corpus, config.protocol.get("disjoint", ("speaker",))
        )
    for line in describe_rows(protocol, corpus) if describe else ():
        _log.info("%s", line)
    return build_from_protocol(config, corpus, protocol, data_parallel=data_parallel)


def open_data(config: ConfigDict) -> Corpus:
    """The corpus of a config, its emotions in the words of the protocol."""
    # Not among the keys of `config.data`.
    open_labelled = functools.partial(open_corpus, labels=config.protocol.labels)
    _, others = _by_a_column(config)
    return call_checked("config.data", open_labelled, **others)


def standardisation_of(config: ConfigDict) -> Standardisation | None:
    """By which column a config standardises, fold by fold; None for none."""
    own, _ = _by_a_column(config)
    return call_checked("config.data", standardisation, **own)


def _by_a_column(config: ConfigDict) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of `config.data` for `standardisation`, and those for `open_corpus`."""
    own = inspect.signature(standardisation).parameters
    data = config.data.to_dict()
    # Of the folds as well, but of no column: `build_from_protocol` reads it.
    data.pop("nuisance_directions", None)
    return (
        {name: value for name, value in data.items() if name in own},
        {name: value for name, value in data.items() if name not in own},
    )


def build_from_protocol(
    config: ConfigDict, corpus: Corpus, protocol: Protocol, *, data_parallel: int = 1
) -> tuple[Task, ReplicaLayout]:
    """As `build_task_and_layout`, of a corpus and a protocol that are there already."""
    require_frames(config, corpus)
    require_layers(config, corpus)
    normalisation = config.encoder.normalisation
    task = call_checked(
        "config.batches",
        make_task,
        corpus,
        protocol,
        config.adversaries.to_dict(),
        normalise_by=normalisation.column,
        adaptive=normalisation.name == "adaptive",
        standardisation=standardisation_of(config),
        nuisance_directions=config.data.get("nuisance_directions", 0),
        **config.batches,
    )
    analysis = getattr(config, "analysis", {})
    call_checked("config.analysis", require_analysis, task, **analysis)
    strengths = (*task.num_domains, *penalty_strength_names(config.objective.to_dict()))
    arms, baseline = config.arms.to_dict(), config.baseline
    if config.protocol.oracle:
        arms, baseline = {TARGET_ONLY: {}}, TARGET_ONLY
    arms = ordered_arms(arms, baseline, strengths)
    data_shards = data_parallel or spare_data_shards(len(protocol.folds) * config.seeds)
    mesh = make_mesh(parts=data_shards)
    return task, ReplicaLayout(protocol.folds, range(config.seeds), arms, mesh)


def ordered_arms(
    arms: Mapping[str, Mapping[str, float]], baseline: str, adversaries: Iterable[str]
) -> dict[str, dict[str, float]]:
    """Arms with a strength for every adversary (or penalty), the baseline first.

    Raises:
      ValueError: the baseline is no arm, or an arm names an adversary there is not.
    """
    if baseline not in arms:
        raise ValueError(
            f"baseline {baseline!r} is none of {', '.join(arms) or 'nothing'}"
        )
    for arm, strengths in arms.items():
        unknown = sorted(set(strengths) - set(adversaries))
        if unknown:
            raise ValueError(
                f"arm {arm!r} gives a strength to {', '.join(unknown)}; "
                f"the adversaries are {', '.join(adversaries) or 'none'}"
            )
    ordered = {baseline: arms[baseline], **arms}
    return {
        arm: {name: strengths.get(name, 0.0) for name in adversaries}
        for arm, strengths in ordered.items()
    }


def compiled(
    config: ConfigDict,
    task: Task,
    layout: ReplicaLayout,
    timetable: Timetable,
    *,
    vectorise: bool | None = None,
) -> Program:
    """The network, its optimiser and its objective, over all replicas.

    Args:
      config: of the run.
      task: what is learned.
      layout: of the replicas.
      timetable: how many steps there are, for schedules.
      vectorise: replicas of a device side by side (True) or one after the other
        (False); by default the latter on CPU, where that is faster.
    """
    total_steps = timetable.steps_per_epoch * timetable.epochs
    strength = config.strength.to_dict()
    overrides = strength.pop("own", {})
    return make_program(
        build_network(config, task),
        layout=layout,
        objective=build_from_section(
            "config.objective",
            OBJECTIVES,
            timetable.in_steps(config.objective.to_dict()),
        ),
        optimizer=call_checked(
            "config.optimizer",
            make_optimizer,
            total_steps=total_steps,
            **config.optimizer.to_dict(),
        ),
        schedule=build_from_section(
            "config.strength", STRENGTH_SCHEDULES, strength, total_steps
        ),
        own_schedules={
            name: build_from_section(
                f"config.strength.own.{name}",
                STRENGTH_SCHEDULES,
                section,
                total_steps,
            )
            for name, section in overrides.items()
        },
        average_decay=config.average_decay,
        vectorise=vectorise,
    )


def build_network(config: ConfigDict, task: Task) -> nn.Module:
    """Encoder and heads, as many as the task needs."""
    return network.build(
        encoder=encoder_of(config, task),
        heads=config.heads.to_dict(),
        num_labels=len(task.protocol.outputs),
        num_domains=task.num_domains,
    )


def encoder_of(config: ConfigDict, task: Task) -> dict[str, Any]:
    """Keyword arguments of the encoder, with what it must know of the corpus.

    That is the domains that it normalises by, and how many layers it mixes.
    """
    encoder = config.encoder.to_dict()
    encoder["normalisation"]["groups"] = task.norm_domains
    # Runs that do not have the key are older, and mixed none.
    if not encoder.pop("concatenate_layers", True):
        layers = {name: len(each) for name, each in layers_of(task.corpus).items()}
        if several := {name: count for name, count in layers.items() if count > 1}:
            encoder["layers"] = several
    return encoder


def build_from_section(
    what: str,
    table: Mapping[str, Callable],
    section: Mapping[str, Any],
    *arguments: Any,
) -> Any:
    """What a section with a `name` and its arguments stands for."""
    require(what, section, Mapping[str, Any])
    options = dict(section)
    name = options.pop("name", None)
    require(f"{what}.name", name, str)
    constructor = lookup(what, name, table)
    check(what, constructor, options)
    return call_checked(f"{name!r}", constructor, *arguments, **options)
