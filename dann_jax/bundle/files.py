"""Bundles on disk: JSON and plain arrays, so that loading one executes nothing."""

import dataclasses
import json
import os

import jax
import numpy as np
from etils import epath
from flax.traverse_util import flatten_dict, unflatten_dict

from dann_jax.bundle.arrays import read_arrays, write_arrays
from dann_jax.bundle.card import model_card
from dann_jax.bundle.description import (
    BundleError,
    Description,
    from_json,
    silent_corpus,
    to_json,
)
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.priors import (
    ABOVE_0,
    Priors,
    prior_arrays,
    prior_shapes,
    priors_from,
)
from dann_jax.models.named_modules import user_code
from dann_jax.models.network import initialise
from dann_jax.objectives.stateful import heads_of
from dann_jax.tasks.standardise import Standardiser
from dann_jax.types import PyTree
from dann_jax.utils.checksums import CHECKSUMS, damaged_file, write_checksums
from dann_jax.utils.files import sync_tree, write_json
from dann_jax.utils.leftovers import remove_leftovers

_FILES = ("bundle.json", "parameters.npz", "standardiser.npz")
"""Without them it is no bundle; the model card is for people, who may edit it."""

_PARTS = ("mean", "scale", "directions")
"""Of a standardiser, in its order; the last only where any are removed."""


def write_bundle(
    folder: epath.PathLike,
    description: Description,
    params: PyTree,
    standardiser: Standardiser,
    priors: Priors | None = None,
) -> epath.Path:
    """Write a bundle, whole or not at all; a bundle that is there is replaced.

    It is made by a run, so that code of the user's own has been imported already.

    Args:
      folder: new, empty, or an earlier bundle.
      description: everything but the numbers; JSON values.
      params: float32 `[M, ...]` of `M` members. The heads of the adversaries are left
        out: they are not needed to predict.
      standardiser: modality -> mean and scale, float32 `[M, dim]`, and, where the
        description has `nuisance_directions`, these, `[M, count, dim]`.
      priors: modality -> of each member, where the description has
        `speaker_statistics`.

    Returns:
      The folder.

    Raises:
      BundleError: the folder holds something else, or the arguments do not fit
        together: what is written is read again before it is put in place.
    """
    folder = epath.Path(folder)
    _require_free(folder)
    remove_leftovers(folder.parent, folder.name)
    domain_heads = heads_of(description.adversaries, params)
    kept = {name: tree for name, tree in params.items() if name not in domain_heads}
    standardizer_arrays = {
        f"{part}/{name}": array
        for name, parts in standardiser.items()
        for part, array in zip(_PARTS, parts, strict=False)
    } | prior_arrays(priors or {})
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        write_arrays(partial / "parameters.npz", flatten_dict(kept, sep="/"))
        write_arrays(partial / "standardiser.npz", standardizer_arrays)
        (partial / "MODEL_CARD.md").write_text(model_card(description))
        write_json(partial / "bundle.json", to_json(description))
        write_checksums(partial, _FILES)
        load_bundle(partial, allow_code=True)
        sync_tree(partial)
        _put_in_place(partial, folder)
    finally:
        if partial.exists():
            partial.rmtree()
    return folder


def load_bundle(
    path: epath.PathLike,
    *,
    allow_code: bool = False,
    encoder: epath.PathLike | None = None,
) -> Bundle:
    """Read a bundle; nothing in it is executed or unpickled.

    Args:
      path: its folder, or a work directory that holds it as `bundle`.
      allow_code: whether modules that its encoder names, which are not of this package,
        may be imported: they can do whatever you can.
      encoder: folder of the pretrained encoder that its features are made by, where it
        is not in the Hugging Face cache by its name; its weights must be the same.

    Raises:
      BundleError: it is no bundle, of another version, or damaged: a file or a
        parameter is missing, of the wrong shape, or not a finite number, or a file is
        not as it was written; or it names such modules and may not import them.
    """
    folder = epath.Path(path)
    if (folder / "bundle" / "bundle.json").exists():
        folder /= "bundle"
    if not folder.is_dir():
        raise BundleError(f"no such folder: {folder}")
    for needed in _FILES:
        if not (folder / needed).exists():
            raise BundleError(f"{folder} has no {needed}; it is no whole bundle")
    try:
        fields = json.loads((folder / "bundle.json").read_text())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{folder}/bundle.json is not JSON: {error}") from None
    description = from_json(fields, f"{folder}/bundle.json")
    if not allow_code and (words := user_code(description.encoder)):
        raise BundleError(
            f"{folder}/bundle.json names code that is not of this package: "
            f"{', '.join(words)}. To load the bundle is to run it: if you trust it, "
            f"load_bundle(..., allow_code=True), or --allow_code on the command line"
        )
    standardiser, priors = _read_standardiser(folder / "standardiser.npz", description)
    params = _read_params(folder, Bundle(description, {}, standardiser))
    _require_unchanged(folder)
    return Bundle(description, params, standardiser, encoder, priors)


def _require_unchanged(folder: epath.Path) -> None:
    """Checked last: errors of a part say more than a wrong checksum."""
    # Older bundles have none.
    if (folder / CHECKSUMS).exists() and (file := damaged_file(folder)):
        raise BundleError(
            f"damaged bundle: {folder}/{file} is not as it was written; dann-evaluate "
            f"writes the bundle of a run again (changed on purpose? Remove {CHECKSUMS})"
        )


def _read_standardiser(
    path: epath.Path, description: Description
) -> tuple[Standardiser, Priors]:
    members = len(description.members)
    expected = {
        f"{part}/{name}": (members, modality.dim)
        for name, modality in description.modalities.items()
        for part in ("mean", "scale")
    }
    if count := description.nuisance_directions:
        expected |= {
            f"directions/{name}": (members, count, modality.dim)
            for name, modality in description.modalities.items()
        }
    arrays = read_arrays(path, expected | prior_shapes(description))
    for name, array in arrays.items():
        field = name.removeprefix("prior/").partition("/")[0]
        if field in ABOVE_0 and not (array > 0).all():
            raise BundleError(
                f"{path}: array {name!r} holds values that are not above 0; the "
                "bundle is damaged, make it again from its run"
            )
    standardiser = {
        name: tuple(
            arrays[f"{part}/{name}"] for part in _PARTS if f"{part}/{name}" in expected
        )
        for name in description.modalities
    }
    return standardiser, priors_from(arrays, description)


def _read_params(folder: epath.Path, untrained: Bundle) -> PyTree:
    """The parameters, if they are those that the described network has."""
    description = untrained.description
    silence = silent_corpus(description.modalities)
    try:
        # One turn, of one frame where there are frames.
        assemble = dataclasses.replace(untrained.assembler(silence), shapes={1: (1, 1)})
        one = assemble(np.zeros((1, 1), int), 1, [0])
        batch = jax.tree.map(lambda leaf: leaf[0], one)
        shapes = jax.eval_shape(
            lambda: initialise(untrained.network, batch, jax.random.key(0))
        )
    # What a malformed keyword argument raises is up to Flax and JAX.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise BundleError(
            f"{folder}/bundle.json describes a network that this version cannot "
            f"build: {reason}"
        ) from None
    flat = flatten_dict(shapes)
    members = len(description.members)
    expected = {"/".join(key): (members, *leaf.shape) for key, leaf in flat.items()}
    arrays = read_arrays(folder / "parameters.npz", expected)
    return unflatten_dict({key: arrays["/".join(key)] for key in flat})


def _require_free(folder: epath.Path) -> None:
    taken = folder.exists() and not (folder / "bundle.json").exists()
    if taken and not (folder.is_dir() and not any(folder.iterdir())):
        raise BundleError(f"{folder} exists and is no bundle; choose another place")


def _put_in_place(whole: epath.Path, folder: epath.Path) -> None:
    if not folder.exists():
        whole.rename(folder)
        return
    # A folder cannot be renamed onto another that holds something.
    old = folder.with_name(f"{folder.name}.{os.getpid()}.old.partial")
    folder.rename(old)
    whole.rename(folder)
    old.rmtree()
