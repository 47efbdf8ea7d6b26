"""From the folder of a bundle to a `Bundle`; nothing in it is executed."""

import dataclasses
import json
import os
from typing import NamedTuple

import jax
import numpy as np
from etils import epath
from flax.traverse_util import flatten_dict, unflatten_dict

from dann_jax.bundle.arrays import read_arrays
from dann_jax.bundle.description import (
    BundleError,
    Description,
    from_json,
    silent_corpus,
)
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.priors import ABOVE_0, Priors, prior_shapes, priors_from
from dann_jax.models.named_modules import user_code
from dann_jax.models.network import initialise
from dann_jax.models.pretrained.hub import find_folder
from dann_jax.tasks.standardise import Standardiser
from dann_jax.types import PyTree
from dann_jax.utils.checksums import CHECKSUMS, damaged_file


class BundleFiles(NamedTuple):
    """Names of its files: without them a folder is no bundle.

    The model card is for people, who may edit it.
    """

    description: str
    parameters: str
    standardiser: str


LOCAL = BundleFiles("bundle.json", "parameters.npz", "standardiser.npz")
HUB = BundleFiles("config.json", "model.safetensors", "standardiser.safetensors")
"""As the Hugging Face hub knows models."""

_ON_HUB = "hf://"

PARTS = ("mean", "scale", "directions")
"""Of a standardiser, in its order; the last only where any are removed."""


def load_bundle(
    path: epath.PathLike,
    *,
    allow_code: bool = False,
    encoder: epath.PathLike | None = None,
) -> Bundle:
    """Read a bundle; nothing in it is executed or unpickled.

    Args:
      path: its folder, a work directory that holds it as `bundle`, the folder that
        `write_hub_folder` wrote, or `hf://OWNER/NAME`, a model on the Hugging Face hub.
      allow_code: whether modules that its encoder names, which are not of this package,
        may be imported: they can do whatever you can.
      encoder: folder of the pretrained encoder that its features are made by, where it
        is not in the Hugging Face cache by its name; its weights must be the same.

    Raises:
      BundleError: it is no bundle, of another version, or damaged: a file or a
        parameter is missing, of the wrong shape, or not a finite number, or a file is
        not as it was written; or it names such modules and may not import them.
    """
    folder, files = _found(path)
    where = folder / files.description
    description = _read_description(where)
    if not allow_code and (words := user_code(description.encoder)):
        raise BundleError(
            f"{where} names code that is not of this package: "
            f"{', '.join(words)}. To load the bundle is to run it: if you trust it, "
            f"load_bundle(..., allow_code=True), or --allow_code on the command line"
        )
    path = folder / files.standardiser
    standardiser, priors = _read_standardiser(path, description)
    params = _read_params(folder, files, Bundle(description, {}, standardiser))
    _require_unchanged(folder)
    return Bundle(description, params, standardiser, encoder, priors)


def read_description(path: epath.PathLike) -> Description:
    """What a bundle says of itself; its numbers are not read.

    Args:
      path: as in `load_bundle`.

    Raises:
      BundleError: it is no bundle, or its description is damaged.
    """
    folder, files = _found(path)
    return _read_description(folder / files.description)


def _read_description(where: epath.Path) -> Description:
    try:
        fields = json.loads(where.read_text())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is not JSON: {error}") from None
    return from_json(fields, str(where))


def _found(path: epath.PathLike) -> tuple[epath.Path, BundleFiles]:
    """The folder of a bundle, and what its files are called."""
    text = os.fspath(path)
    if text.startswith(_ON_HUB):
        folder = find_folder(text.removeprefix(_ON_HUB))
    else:
        folder = epath.Path(path)
    if (folder / "bundle" / LOCAL.description).exists():
        folder /= "bundle"
    if not folder.is_dir():
        raise BundleError(f"no such folder: {folder}")
    local = (folder / LOCAL.description).exists()
    files = HUB if not local and (folder / HUB.standardiser).exists() else LOCAL
    for needed in files:
        if not (folder / needed).exists():
            raise BundleError(f"{folder} has no {needed}; it is no whole bundle")
    return folder, files


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
            arrays[f"{part}/{name}"] for part in PARTS if f"{part}/{name}" in expected
        )
        for name in description.modalities
    }
    return standardiser, priors_from(arrays, description)


def _read_params(folder: epath.Path, files: BundleFiles, untrained: Bundle) -> PyTree:
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
            f"{folder / files.description} describes a network that this version "
            f"cannot build: {reason}"
        ) from None
    flat = flatten_dict(shapes)
    members = len(description.members)
    expected = {"/".join(key): (members, *leaf.shape) for key, leaf in flat.items()}
    arrays = read_arrays(folder / files.parameters, expected)
    return unflatten_dict({key: arrays["/".join(key)] for key in flat})
