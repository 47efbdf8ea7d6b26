"""The few types that every part agrees on, with their shapes.

`...` in a shape stands for any leading axes: the maths is written for one row and
maps over dialogues, turns and replicas alike.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

Array = jax.Array | np.ndarray
Scalar = Array | float
PyTree = Any

UNKNOWN = -1
"""The label or domain of a row that has none, or whose label has been erased."""

Schedule = Callable[[Scalar], Array]
"""Optimiser step -> value; pure, so that it can be traced."""


class Batch(NamedTuple):
    """Dialogues padded to one length: `B` dialogues of `T` turns.

    An utterance is called a row as one of the corpus, and a turn as one of a dialogue;
    without dialogues each is the only turn of its own. A network and an objective are
    given a finished batch, as below. On its way there the same type is an *index*, from
    `Assembler.index_batch`: `inputs` then holds places in the tables of features (or,
    of a corpus that does not fit on the devices, rows of features that are not
    standardised yet), and `gather_features` puts the features there.

    Attributes:
      inputs: modality -> float `[B, T, dim]`, or `[B, T, frames, dim]`, standardised.
      present: modality -> bool `[B, T]`; False where a turn lacks the modality.
      visible: bool `[B, T]`; the turns that the encoder may look at. Padding and
        rows that a protocol holds out are False.
      party: int32 `[B, T]`; which speaker of the dialogue is speaking: 0, 1, ...
      label: int32 `[B, T]`; `UNKNOWN` wherever it must not be learned from.
      domain: adversary -> int32 `[B, T]`; `UNKNOWN` where a row takes no part.
      row: int32 `[B, T]`; index into the corpus, `UNKNOWN` for padding.
      num_frames: frame modality -> int32 `[B, T]`; how many frames are not padding.
      value: float `[B, T, attributes]`, what a regression learns, such as arousal,
        standardised; NaN wherever it must not be learned from. None where nothing is
        regressed.
      norm_domain: int32 `[B, T]`; which domain's statistics normalise a row inside the
        network (`encoder.normalisation`), in training and in evaluation alike;
        `UNKNOWN` where its domain is not known. None where there are no domains.
      feature_domain: int32 `[B, T]`; whose statistics standardise the inputs of a row:
        an index into `Standardiser`. None where those of the fold do, and once they
        are standardised.
      shares: float `[B, T, labels]`, the share of the raters who named each class, in
        rows with a label; NaN in others. None where labels are hard.
    """

    inputs: Mapping[str, Array]
    present: Mapping[str, Array]
    visible: Array
    party: Array
    label: Array
    domain: Mapping[str, Array]
    row: Array
    num_frames: Mapping[str, Array]
    value: Array | None = None
    norm_domain: Array | None = None
    feature_domain: Array | None = None
    shares: Array | None = None


class Outputs(NamedTuple):
    """What a network returns for a batch.

    Attributes:
      features: float `[..., width]`, the representation that both heads see.
      label_logits: float `[..., labels]`; of a regression, the values themselves.
      domain_logits: adversary -> float `[..., domains]`; `[..., labels, domains]` from
        a head with one discriminator for each class.
      extra: what else an objective asks of its network, by name.
    """

    features: Array
    label_logits: Array
    domain_logits: Mapping[str, Array]
    extra: Mapping[str, Array] = {}


Metrics = dict[str, Array]
"""Name -> scalar, for logging; see `Objective` for the names."""


@runtime_checkable
class Objective(Protocol):
    """A training loss: `(outputs, batch, strength) -> (loss, metrics)`.

    Of the batch most objectives read `label` and `domain`, so that any named tuple that
    has these will do; `ccc_regression` reads `value`.
    `strength` maps each adversary (or penalty with a strength of its own) to its
    current strength: its peak in the arm times what the schedule gives at the step.
    Reversal objectives leave it to the network, which has already scaled the gradient;
    discrepancy objectives multiply their term by it.

    The loss and every metric is a scalar. A run needs the metric `loss/label`, the loss
    of the labelled rows alone, which it logs and compares gradients with. `loss/NAME`
    is for the other parts of the loss, one for each adversary: they and `loss/label`
    are what `encoder_gradients` measures one by one. All else has another prefix, as
    `accuracy/NAME` has.
    """

    def __call__(
        self, outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Array, Metrics]: ...


@runtime_checkable
class Apply(Protocol):
    """A network as a pure function, for training and (without a key) evaluation.

    Strengths and the key are scalars; shapes are those of `Batch` and `Outputs`.
    """

    def __call__(
        self,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array | None,
    ) -> Outputs: ...


class StatefulObjective(NamedTuple):
    """An objective that needs more than the outputs, paired as optax pairs its own.

    `forward` is the network: it may be called several times, with other parameters
    (frozen ones), inputs, strengths or keys. The state is whatever is to be remembered
    from one step to the next; it is kept with the parameters and is no part of them.

    Attributes:
      init: `(outputs) -> state`; of the outputs only shapes are known.
      apply: `(forward, params, batch, strength, key, state) -> (loss, (metrics,
        state))`, differentiated with respect to `params`. Metrics are as those of an
        `Objective`; their parts need not add up to the loss.
    """

    init: Callable[[Outputs], PyTree]
    apply: Callable[
        [Apply, PyTree, Any, Mapping[str, Scalar], Array, PyTree],
        tuple[Array, tuple[Metrics, PyTree]],
    ]
