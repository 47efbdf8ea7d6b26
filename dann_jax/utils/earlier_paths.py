"""Modules under the paths that they had before they moved into packages.

`import dann_jax.features.audio` goes on working: it is `dann_jax.data.features.audio`,
the same module, and says so by a `DeprecationWarning`.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_ROOT = "dann_jax."

_PACKAGES = {
    "data": "features store",
    "evaluation": "analysis summaries",
    "experiment": "checks evaluate_again workdir",
    "models": "reversal",
    "models.ops": "models.attention models.dense",
    "objectives": "batch_losses discrepancy groups losses",
    "tasks": "domains fold_roles guards oracle plan protocols roles splits standardise "
    "task",
    "training": "schedules",
    "utils": "arguments progress",
    "data.readers": "corpora.conversation_pickle corpora.crema_d corpora.emodb "
    "corpora.emovo corpora.filenames corpora.iemocap corpora.msp_improv "
    "corpora.plain_pickle corpora.ravdess corpora.savee corpora.table corpora.tess "
    "corpora.urdu",
    "data.synthetic": "corpora.source_filter corpora.speakers corpora.voices",
}
"""Package -> old paths of modules that kept their names. A package moved as a whole."""

MOVED = {
    **{
        path: f"{package}.{path.rpartition('.')[2]}"
        for package, paths in _PACKAGES.items()
        for path in paths.split()
    },
    "bundle.answers": "evaluation.scorers.table",
    "bundle.hearing": "bundle.audio_features",
    "bundle.output_types": "evaluation.scorers.table",
    "bundle.remaking": "bundle.provenance",
    "corpora": "data",
    "corpora.readers": "data.readers.catalogue",
    "corpora.synthetic": "data.synthetic.conversations",
    "defaults": "experiment.config",
    "features.parts": "data.features.extraction_worker",
    "models.gates": "models.layers",
    "models.turns": "models.ops.time_loop",
    "open_set": "evaluation.scorers.trials",
    "outcome": "experiment.evaluate",
    "pipeline": "tasks.batches",
    "preparation": "data.prepare",
    "ratings": "evaluation.scorers.values",
    "results": "evaluation.scorers.classes",
    "setting": "experiment.build",
    "training.feed": "training.batch_loader",
    "store.places": "data.store.folders",
    "training.parts": "training.data_parallel",
    "training.predict": "training.run",
}
"""Old path -> new path, both below the package."""


class _Alias(Loader):
    """Gives a module that is there already in place of one to be made."""

    def __init__(self, new: str) -> None:
        self._new = new

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._new)
        # What imports it under the old path writes its own specification on it.
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _EarlierPaths(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        del path, target
        if not fullname.startswith(_ROOT):
            return None
        names = fullname.removeprefix(_ROOT).split(".")
        for length in range(len(names), 0, -1):
            old, rest = ".".join(names[:length]), names[length:]
            if old in MOVED:
                new = ".".join([_ROOT + MOVED[old], *rest])
                warnings.warn(
                    f"{fullname} is now {new}", DeprecationWarning, stacklevel=2
                )
                return ModuleSpec(fullname, _Alias(new))
        return None


def keep_earlier_paths() -> None:
    """Let modules be imported under their earlier paths too."""
    # Before Python's own: below a package that moved, it would load a second copy.
    if not any(isinstance(finder, _EarlierPaths) for finder in sys.meta_path):
        sys.meta_path.insert(0, _EarlierPaths())
