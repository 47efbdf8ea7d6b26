"""What is trained by skada: methods, the settings to choose among, and their names."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

METHODS = ("SourceOnly", "DANN", "CDAN", "MCC")
LEARNING_RATES = (1e-3, 3e-3)
STRENGTHS = (0.1, 0.3, 1.0)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A method of skada with its settings.

    Attributes:
      method: of `METHODS`.
      lr: learning rate of AdamW.
      reg: skada's weight of the adaptation loss.
      epochs: how long it is trained.
      working_head: whether the domain head ends in a sigmoid; else it is as it comes.
    """

    method: str
    lr: float = 1e-3
    reg: float = 1.0
    epochs: int = 30
    working_head: bool = True

    def fit(self, fold: int, seed: int, epochs: Sequence[int]) -> dict[str, Any]:
        """One training, read off after each of several `epochs`.

        Example:
          >>> Candidate("DANN").fit(2, 0, [30])["name"]
          'DANN-lr0.001-reg1-epochs30-fold2-seed0'
        """
        name = f"{self.method}-lr{self.lr:g}"
        if self.method != "SourceOnly":
            name += f"-reg{self.reg:g}"
        if not self.working_head:
            name += "-as_it_comes"
        shown = "+".join(map(str, epochs))
        return {
            **dataclasses.asdict(self),
            "name": f"{name}-epochs{shown}-fold{fold}-seed{seed}",
            "fold": fold,
            "seed": seed,
            "epochs": list(epochs),
        }

    @property
    def words(self) -> str:
        """Of its settings.

        Example:
          >>> Candidate("DANN", reg=0.3).words, Candidate("SourceOnly").words
          ('lr 0.001, reg 0.3, 30 epochs', 'lr 0.001, 30 epochs')
        """
        reg = "" if self.method == "SourceOnly" else f", reg {self.reg:g}"
        return f"lr {self.lr:g}{reg}, {self.epochs} epochs"


def candidates(method: str, lr: float | None, epochs: Sequence[int]) -> list[Candidate]:
    """The settings of a method to choose among.

    Args:
      method: of `METHODS`.
      lr: the learning rate; None for all of them.
      epochs: of which one is chosen.
    """
    rates = LEARNING_RATES if lr is None else (lr,)
    strengths = (1.0,) if method == "SourceOnly" else STRENGTHS
    return [
        Candidate(method, *each) for each in itertools.product(rates, strengths, epochs)
    ]


def defaults(epochs: int) -> dict[str, Candidate]:
    """Arm -> the method as it is when nothing is chosen: reg 1, Adam's usual rate."""
    found = {
        f"skada {method}, defaults": Candidate(method, epochs=epochs)
        for method in METHODS
    }
    as_it_comes = Candidate("DANN", epochs=epochs, working_head=False)
    return {**found, "skada DANN as it comes, defaults": as_it_comes}
