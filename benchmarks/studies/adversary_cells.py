"""The cells of the study of the adversary, and the flags of what makes them.

A cell is a corpus, its features, how they are standardised, and whether the tested rows
are seen without labels. Its arms and seeds are two runs of `dann-train`: one of all
arms but those whose heads are given the class, and one of these.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

CORPORA = ("emovo", "ravdess", "emodb", "urdu", "languages")
LANGUAGES = {"de": "emodb", "en": "ravdess", "it": "emovo", "ur": "urdu"}
FEATURES = ("pretrained", "functionals")
STANDARDISED = ("none", "speaker", "shrunk", "label_aware")
MODES = ("transductive", "inductive")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run of the study.

    Attributes:
      corpus: of `CORPORA`.
      features: of `FEATURES`.
      standardised: of `STANDARDISED`: the features as they are, or by the clips of each
        speaker: by z, shrunk towards the training speakers, or aware of labels.
      mode: `transductive` where training sees the tested rows without their labels.
    """

    corpus: str
    features: str
    standardised: str
    mode: str

    @property
    def name(self) -> str:
        """Of its first work directory."""
        return "-".join(dataclasses.astuple(self))

    @property
    def runs(self) -> tuple[str, str]:
        """Names of its work directories."""
        return self.name, f"{self.name}-heads"

    @property
    def store(self) -> pathlib.Path:
        """Of its features, below the folder of the study."""
        return pathlib.Path("features", self.features, self.corpus)


def cells(
    corpora: Sequence[str] = CORPORA,
    features: Sequence[str] = FEATURES,
    standardised: Sequence[str] = STANDARDISED,
    modes: Sequence[str] = MODES,
) -> list[Cell]:
    """All combinations, what matters most first.

    Inductive cells are of features as they are: standardising by speaker looks at
    every clip of the tested person.

    Example:
      >>> [cell.name for cell in cells(["emovo"], ["pretrained"], ["none", "speaker"])]
      ... # doctest: +NORMALIZE_WHITESPACE
      ['emovo-pretrained-none-transductive', 'emovo-pretrained-none-inductive',
       'emovo-pretrained-speaker-transductive']
    """
    return [
        Cell(corpus, feature, kind, mode)
        for feature in features
        for kind in standardised
        for mode in modes
        if mode == "transductive" or kind == "none"
        for corpus in corpora
    ]


def prepare_flags(
    cell: Cell, data: pathlib.Path, output: pathlib.Path, encoder: str
) -> list[str]:
    """Of `dann-prepare`, for the features of a cell."""
    parts = LANGUAGES if cell.corpus == "languages" else {"": cell.corpus}
    words = [f"{name}=manifest" if name else "manifest" for name in parts]
    folders = [str(data / folder) for folder in parts.values()]
    flags = [
        f"--corpus={','.join(words)}",
        f"--source={','.join(folders)}",
        f"--name={cell.corpus}",
        f"--features={cell.features}",
        f"--data_dir={output / cell.store.parent}",
    ]
    if cell.features == "pretrained":
        # By default layer 3 of Whisper base: mean and deviation, across languages the
        # mean, as in docs/results.md.
        flags.append(f"--pretrained.model={encoder}")
        if cell.corpus == "languages":
            flags.append("--pretrained.pooling=mean")
    return flags


def train_flags(
    cell: Cell, run: str, output: pathlib.Path, seeds: int, epochs: int
) -> list[str]:
    """Of `dann-train`, for one of the runs of a cell."""
    variant = cell.corpus + (",inductive" if cell.mode == "inductive" else "")
    variant += ",heads" if run.endswith("-heads") else ""
    flags = [
        f"--config=adversary:{variant}",
        f"--workdir={output / 'runs' / run}",
        f"--config.data.source={output / cell.store}",
        f"--config.seeds={seeds}",
        f"--config.timetable.epochs={epochs}",
    ]
    if cell.standardised != "none":
        by = "language" if cell.corpus == "languages" else "speaker"
        kind = "z" if cell.standardised == "speaker" else cell.standardised
        flags += [
            f"--config.data.standardise_by={by}",
            f"--config.data.standardise_kind={kind}",
        ]
    return flags
