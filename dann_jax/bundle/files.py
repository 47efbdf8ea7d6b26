"""Bundles on disk: JSON and plain arrays, so that loading one executes nothing."""

import os

from etils import epath
from flax.traverse_util import flatten_dict

from dann_jax.bundle.arrays import write_arrays
from dann_jax.bundle.card import model_card
from dann_jax.bundle.description import BundleError, Description, to_json
from dann_jax.bundle.loading import LOCAL, PARTS, BundleFiles, load_bundle
from dann_jax.bundle.priors import Priors, prior_arrays
from dann_jax.objectives.stateful import heads_of
from dann_jax.tasks.standardise import Standardiser
from dann_jax.types import PyTree
from dann_jax.utils.checksums import write_checksums
from dann_jax.utils.files import partial_folder, sync_tree, write_json
from dann_jax.utils.leftovers import remove_leftovers


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
    with partial_folder(folder) as partial:
        partial.mkdir(parents=True, exist_ok=True)
        (partial / "MODEL_CARD.md").write_text(model_card(description))
        write_files(partial, LOCAL, description, kept, standardiser, priors or {})
        sync_tree(partial)
        _put_in_place(partial, folder)
    return folder


def write_files(
    folder: epath.Path,
    files: BundleFiles,
    description: Description,
    params: PyTree,
    standardiser: Standardiser,
    priors: Priors,
) -> None:
    """Write all files of a bundle but its card, and read them again.

    Args:
      folder: that is there.
      files: their names.
      description: as for `write_bundle`.
      params: float32 `[M, ...]`, without the heads of the adversaries.
      standardiser: as for `write_bundle`.
      priors: as for `write_bundle`; empty for none.

    Raises:
      BundleError: the arguments do not fit together.
    """
    standardizer_arrays = {
        f"{part}/{name}": array
        for name, parts in standardiser.items()
        for part, array in zip(PARTS, parts, strict=False)
    } | prior_arrays(priors)
    write_arrays(folder / files.parameters, flatten_dict(params, sep="/"))
    write_arrays(folder / files.standardiser, standardizer_arrays)
    write_json(folder / files.description, to_json(description))
    write_checksums(folder, files)
    load_bundle(folder, allow_code=True)


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
