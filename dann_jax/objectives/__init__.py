"""Objectives: functions `(outputs, batch, strength) -> (loss, metrics)` to minimise.

A constructor binds the hyper-parameters and returns an `Objective`, which works on the
outputs of any model that fills `Outputs`; or a `StatefulObjective`, where outputs alone
do not suffice. A config names one for all of its arms, which differ in their strengths:
`source_only` here is the loss of the labels; an arm of that name has adversaries at 0.
"""

from collections.abc import Callable

from dann_jax.objectives.addi import addi
from dann_jax.objectives.adversarial import ccc_regression, class_wise_dann, dann
from dann_jax.objectives.confusion import confusion
from dann_jax.objectives.dynamic_joint import dynamic_joint
from dann_jax.objectives.group_dro import group_dro
from dann_jax.objectives.labels import source_only
from dann_jax.objectives.penalised import PENALTIES, penalised
from dann_jax.objectives.perturbation import cross_gradient, mixup
from dann_jax.types import Objective
from dann_jax.utils.arguments import Rate


def _penalty_alone(name: str) -> Callable[..., Objective]:
    def construct(
        *, label_smoothing: Rate = 0.0, label_balanced: bool = False, **options: object
    ) -> Objective:
        base = source_only(
            label_smoothing=label_smoothing, label_balanced=label_balanced
        )
        return penalised(base, {name: options})

    return construct


OBJECTIVES = {
    "source_only": source_only,
    "dann": dann,
    "class_wise_dann": class_wise_dann,
    "ccc_regression": ccc_regression,
    "confusion": confusion,
    "mixup": mixup,
    "cross_gradient": cross_gradient,
    "group_dro": group_dro,
    "dynamic_joint": dynamic_joint,
    "addi": addi,
    **{name: _penalty_alone(name) for name in PENALTIES},
}
"""The word in a config -> the constructor of an objective."""

REGRESSIONS = ("ccc_regression",)
"""Those that learn values, not classes."""

__all__ = ["OBJECTIVES", "dann", "source_only"]
