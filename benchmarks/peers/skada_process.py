"""Networks of skada, trained in a process of their own that knows no tested label.

    PYTHON benchmarks/peers/skada_process.py FITS.json

PYTHON has skada, skorch and PyTorch, and needs nothing of this package. FITS.json names
an .npz, a folder, and the fits to make; what is in the folder already is not repeated.
The .npz has, for all folds, `x` `[N, D]`, `mean` and `scale` `[F, D]`, `label` `[F, N]`
(-1 where a fold must not know it) and `domain` `[F, N]`: 1 for labelled rows, -1 for
those of the tested side, 0 for rows of which the fold sees nothing; and `tested`
`[F, N]`, the rows to predict. Of each fit a file NAME.npz is
left, with the `logits` `[epochs, tested rows, classes]` after each of its `epochs`.
"""

import json
import os
import pathlib
import sys
import time
import warnings

import numpy as np
import skada
import torch
from skada.deep import CDAN, DANN, MCC, SourceOnly
from skada.deep.modules import DomainClassifier
from skorch.callbacks import Callback
from torch import nn

FEATURES = "features"
"""The layer whose outputs an adversary sees."""


class Network(nn.Module):
    """Encoder and head of `configs/adversary.py`: the same layers and dropout."""

    def __init__(self, inputs: int, classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(inputs, width), nn.Dropout(dropout)
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))

    def forward(
        self, x: torch.Tensor, sample_weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """`[B, inputs] -> [B, classes]`; skada hands on weights, and there are none."""
        del sample_weight
        return self.head(self.features(x))


class KeepLogits(Callback):
    """Predictions for the tested rows after some of the epochs."""

    def __init__(self, x: np.ndarray, epochs: list[int]) -> None:
        self.x, self.epochs, self.kept = x, epochs, []

    def on_epoch_end(self, net, **_) -> None:
        if len(net.history) in self.epochs:
            net.module_.eval()
            with torch.no_grad():
                logits = net.module_.base_module_(torch.from_numpy(self.x))
            self.kept.append(logits.numpy())


def working_head(inputs: int) -> DomainClassifier:
    """The domain head of skada with a sigmoid at its end, as in Ganin et al. 2016.

    In skada 0.6.0 a softmax over its one output stands there, which is 1 whatever goes
    in: nothing is learned from it, and nothing reaches the features.
    """
    head = DomainClassifier(inputs)
    head.classifier[-1] = nn.Sigmoid()
    return head


def method_of(fit: dict, network: Network, classes: int, width: int, options: dict):
    """The estimator of a fit."""
    name = fit["method"]
    if name == "SourceOnly":
        return SourceOnly(network, **options)
    options = {"layer_name": FEATURES, "reg": fit["reg"], **options}
    if name == "MCC":
        return MCC(network, **options)
    sizes = {"num_features": width}
    if name == "CDAN":
        sizes["n_classes"] = classes
    inputs = width * (classes if name == "CDAN" else 1)
    if fit["working_head"]:
        sizes["domain_classifier"] = working_head(inputs)
    return {"DANN": DANN, "CDAN": CDAN}[name](network, **sizes, **options)


def train(fit: dict, job: dict, data: dict) -> np.ndarray:
    """Logits of the tested rows of the fit's fold, `[epochs, rows, classes]`."""
    fold = fit["fold"]
    label, domain = data["label"][fold], data["domain"][fold]
    x = ((data["x"] - data["mean"][fold]) / data["scale"][fold]).astype(np.float32)
    seen, tested = domain != 0, data["tested"][fold]
    torch.manual_seed(fit["seed"])
    network = Network(x.shape[1], job["classes"], job["width"], job["dropout"])
    keep = KeepLogits(x[tested], fit["epochs"])
    options = {
        "optimizer": torch.optim.AdamW,
        "optimizer__weight_decay": job["weight_decay"],
        "optimizer__fused": True,
        "lr": fit["lr"],
        "batch_size": job["batch_size"],
        "max_epochs": max(fit["epochs"]),
        "train_split": None,
        "callbacks": [keep],
        "verbose": 0,
    }
    net = method_of(fit, network, job["classes"], job["width"], options)
    # Domains of skada: above 0 the source, below it the target.
    net.fit(x[seen], label[seen].astype(np.int64), domain[seen].astype(np.int64))
    return np.stack(keep.kept)


def main() -> None:
    """Make the fits that are not there yet; a line now and then says how far it is."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "Implicit dimension choice for softmax")
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    with np.load(job["data"]) as file:
        data = dict(file)
    folder = pathlib.Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    versions = {"skada": skada.__version__, "torch": torch.__version__}
    (folder / "versions.json").write_text(json.dumps(versions))
    missing = [fit for fit in job["fits"] if not _path(folder, fit).exists()]
    print(f"{len(job['fits'])} fits, {len(missing)} to make", flush=True)
    began = time.monotonic()
    for done, fit in enumerate(missing, start=1):
        logits, path = train(fit, job, data), _path(folder, fit)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, logits=logits)
        os.replace(partial, path)
        if done in (1, 5) or done % 50 == 0:
            left = (time.monotonic() - began) / done * (len(missing) - done) / 60
            print(f"{done} of {len(missing)}, {left:.1f} min left", flush=True)


def _path(folder: pathlib.Path, fit: dict) -> pathlib.Path:
    return folder / f"{fit['name']}.npz"


if __name__ == "__main__":
    main()
