"""Domain-adversarial speech emotion recognition in JAX.

The names below are the library: pure functions and small types that compose with any
Flax or plain-JAX model. Importing them imports neither TensorFlow nor librosa.
"""

from etils import epy

from dann_jax.utils.earlier_paths import keep_earlier_paths

keep_earlier_paths()

# Each name is looked up when it is first used: importing the package takes no time.
with epy.lazy_api_imports(globals()):
    from dann_jax.bundle import load_bundle
    from dann_jax.data.corpus import Corpus, CorpusError
    from dann_jax.data.frames import Frames
    from dann_jax.data.open import open_corpus
    from dann_jax.data.synthetic.conversations import synthetic_conversations
    from dann_jax.evaluation.metrics import classification_scores
    from dann_jax.evaluation.probe import domain_probe
    from dann_jax.evaluation.statistics import compare, interval
    from dann_jax.experiment.config import base_config
    from dann_jax.models import pretrained
    from dann_jax.models.network import Dann, DialogueEncoder, as_apply
    from dann_jax.models.reversal import reverse_gradient
    from dann_jax.objectives import OBJECTIVES, dann, source_only
    from dann_jax.objectives.losses import cross_entropy, masked_mean
    from dann_jax.objectives.penalised import PENALTIES
    from dann_jax.tasks.domains import domain_ids
    from dann_jax.tasks.protocols import assign_roles
    from dann_jax.tasks.roles import Protocol, Role
    from dann_jax.tasks.splits import (
        ProtocolError,
        fixed_split,
        group_k_fold,
        leave_one_out,
        ordered_pairs,
    )
    from dann_jax.training.estimator import DANNClassifier
    from dann_jax.training.mapping import map_replicas
    from dann_jax.training.replicas import Layout, ReplicaLayout, make_mesh
    from dann_jax.training.schedules import (
        STRENGTH_SCHEDULES,
        constant,
        ganin_learning_rate,
        ganin_strength,
        linear,
        warmup_hold,
    )
    from dann_jax.training.state import TrainState, create_state, keep_best
    from dann_jax.training.step import make_evaluation_step, make_train_step
    from dann_jax.types import UNKNOWN, Batch, Objective, Outputs, StatefulObjective

__version__ = "0.2.0"

__all__ = [
    "OBJECTIVES",
    "PENALTIES",
    "STRENGTH_SCHEDULES",
    "UNKNOWN",
    "Batch",
    "Corpus",
    "CorpusError",
    "DANNClassifier",
    "Dann",
    "DialogueEncoder",
    "Frames",
    "Layout",
    "Objective",
    "Outputs",
    "Protocol",
    "ProtocolError",
    "ReplicaLayout",
    "Role",
    "StatefulObjective",
    "TrainState",
    "as_apply",
    "assign_roles",
    "base_config",
    "classification_scores",
    "compare",
    "constant",
    "create_state",
    "cross_entropy",
    "dann",
    "domain_ids",
    "domain_probe",
    "fixed_split",
    "ganin_learning_rate",
    "ganin_strength",
    "group_k_fold",
    "interval",
    "keep_best",
    "leave_one_out",
    "linear",
    "load_bundle",
    "make_evaluation_step",
    "make_mesh",
    "make_train_step",
    "map_replicas",
    "masked_mean",
    "open_corpus",
    "ordered_pairs",
    "pretrained",
    "reverse_gradient",
    "source_only",
    "synthetic_conversations",
    "warmup_hold",
]
