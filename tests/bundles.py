"""Bundles small enough for a test, with parameters that were drawn, not trained."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from corpora_and_batches import network_params, stack

from dann_jax.bundle import Bundle, Description, load_bundle, write_bundle
from dann_jax.bundle.description import Modality, modalities_of, silent_corpus
from dann_jax.data.corpus import Corpus
from dann_jax.data.features.catalogue import make_extractor
from dann_jax.models import network

LABELS = ("anger", "joy", "neutral")
ADVERSARIES = {"speaker": 3}
HEADS = {"domain_hidden": [4], "head_dropout": 0.1}


def tiny_description(modalities: Mapping[str, Modality], **changes: Any) -> Description:
    """Of two folds of a network of width 4, without context unless it is asked for."""
    score = {"mean": 0.5, "std": 0.01, "pooled": 0.5, "ci95": [0.4, 0.6]}
    description = Description(
        system="toy system",
        labels=LABELS,
        encoder={"width": 4, "heads": 2, "context": False},
        heads=HEADS,
        adversaries=ADVERSARIES,
        members=tuple(
            {"fold": fold, "seed": 0, "arm": "dann", "step": 7} for fold in "ab"
        ),
        modalities=modalities,
        corpora=("toy",),
        standardised_by=None,
        protocol={
            "name": "leave-one-out",
            "transductive": True,
            "selection": "last",
            "allowed_leaks": [],
        },
        measured={
            "arm": "dann",
            "scores": {"ua": score},
            "comparisons": [],
            "groups": {},
        },
        licence=None,
        packages={"dann_jax": "0.0"},
    )
    return dataclasses.replace(description, **changes)


def drawn_params(description: Description, seed: int = 0) -> Any:
    """Parameters `[M, ...]` as training leaves them: with the domain heads."""
    module = network.build(
        encoder=description.encoder,
        heads=description.heads,
        num_labels=len(description.labels),
        num_domains=description.adversaries,
    )
    members = len(description.members)
    moments = drawn_standardiser(description)
    one = Bundle(description, {}, moments).assembler(
        silent_corpus(description.modalities)
    )
    batch = jax.tree.map(lambda leaf: leaf[0], one(np.zeros((1, 1), int), 1, [0]))
    batch = batch._replace(domain=dict.fromkeys(description.adversaries, batch.label))
    return stack([network_params(module, batch, seed + n) for n in range(members)])


def drawn_standardiser(description: Description) -> dict[str, tuple]:
    rng = np.random.default_rng(1)
    members = len(description.members)
    return {
        name: tuple(
            rng.uniform(0.5, 1.5, (members, modality.dim)).astype(np.float32)
            for _ in range(2)
        )
        for name, modality in description.modalities.items()
    }


def write_tiny(
    folder: pathlib.Path, description: Description, moments: Any = None
) -> Bundle:
    """Write a drawn bundle, and read it."""
    moments = moments or drawn_standardiser(description)
    return load_bundle(
        write_bundle(folder, description, drawn_params(description), moments)
    )


def tiny_bundle(folder: pathlib.Path, corpus: Corpus, **changes: Any) -> Bundle:
    """A drawn bundle that hears what the corpus holds."""
    return write_tiny(folder, tiny_description(modalities_of(corpus), **changes))


def hearing_bundle(folder: pathlib.Path, **changes: Any) -> Bundle:
    """A drawn bundle that hears recordings, at the scale of `tone`."""
    extractor = make_extractor("functionals")
    made = extractor.provenance()
    heard = np.stack([extractor.compute(tone(n, 0.4, 16000)) for n in range(4)])
    # Of two members; a feature that no tone moves must not blow up.
    moments = (heard.mean(0), heard.std(0) + 0.1 * np.abs(heard.mean(0)) + 0.1)
    modality = Modality(made["dim"], made["framewise"], made)
    return write_tiny(
        folder,
        tiny_description({"voice": modality}, **changes),
        {"voice": tuple(np.float32([moment] * 2) for moment in moments)},
    )


def tone(number: int, seconds: float, rate: int) -> np.ndarray:
    """A tone that slowly rises from a pitch of its own, float32 `[n]`."""
    time = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 40 * number
    wave = 0.3 * np.sin(2 * np.pi * pitch * time * (1 + 0.05 * time))
    return wave.astype(np.float32)


def write_tones(
    folder: pathlib.Path, seconds: Mapping[str, float], rate: int = 16000
) -> None:
    """Files `NAME` of so many seconds of tones, each at its own pitch."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, duration) in enumerate(seconds.items()):
        soundfile.write(folder / name, tone(number, duration, rate), rate)
