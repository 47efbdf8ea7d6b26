"""The tensors of a model's folder, taken one by one and each checked."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from etils import epath

from dann_jax.models.pretrained.settings import PretrainedError
from dann_jax.utils.files import digest_array

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


class TensorReader:
    """Named tensors, of which a conversion takes what the encoder needs.

    Attributes:
      prefix: what stands before the encoder's names, such as `model.encoder.`.
    """

    def __init__(
        self, readers: Mapping[str, Callable[[], np.ndarray]], prefixes: Sequence[str]
    ) -> None:
        """Finds where the encoder is.

        Args:
          readers: name -> a function that reads the tensor `[...]`.
          prefixes: what may stand before the encoder's names; of those with which
            several names begin, the first counts.
        """
        self._readers = readers
        self._digests: dict[str, str] = {}
        known = (part for part in prefixes if any(n.startswith(part) for n in readers))
        self.prefix = next(known, "")

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self._readers

    def take(self, name: str, *shape: int) -> np.ndarray:
        """Reads a tensor.

        Args:
          name: without the prefix.
          *shape: that it must have.

        Returns:
          The tensor as float32 `[*shape]`.

        Raises:
          PretrainedError: it is missing, or of another shape or kind of numbers.
        """
        full = self.prefix + name
        if full not in self._readers:
            raise PretrainedError(f"the tensor {full!r} is missing")
        value = self._readers[full]()
        if value.shape != shape:
            raise PretrainedError(
                f"the tensor {full!r} has the shape {list(value.shape)}; the config "
                f"makes it {list(shape)}"
            )
        if value.dtype.name not in ("float16", "bfloat16", "float32", "float64"):
            raise PretrainedError(
                f"the tensor {full!r} is of type {value.dtype.name}; float16, bfloat16 "
                f"and float32 can be read, quantised weights cannot"
            )
        value = value.astype(np.float32)
        if not np.isfinite(value).all():
            raise PretrainedError(
                f"the tensor {full!r} holds values that are not finite"
            )
        self._digests[name] = digest_array(value)
        return value

    def check_rest(self, ignored: Iterable[str]) -> None:
        """Refuses what has not been taken and does not belong to another part.

        Args:
          ignored: with what the names of other parts begin, such as a decoder's.

        Raises:
          PretrainedError: there are such tensors; it names the first of them.
        """
        taken = {self.prefix + name for name in self._digests}
        ignored = tuple(ignored)
        rest = [
            name
            for name in sorted(self._readers)
            if name not in taken and not name.startswith(ignored)
        ]
        if rest:
            more = f" and {len(rest) - 3} more" if len(rest) > 3 else ""
            raise PretrainedError(
                f"the tensors {', '.join(map(repr, rest[:3]))}{more} have no place in "
                f"the encoder that the config describes"
            )

    def digest(self) -> str:
        """Of what was taken: the same for any number of files, type or prefix."""
        pairs = json.dumps(sorted(self._digests.items()))
        return hashlib.blake2b(pairs.encode(), digest_size=16).hexdigest()


@contextlib.contextmanager
def open_weights(folder: epath.Path, prefixes: Sequence[str]) -> Iterator[TensorReader]:
    """The tensors of `model.safetensors`, or of the files that its index names.

    Args:
      folder: of the model.
      prefixes: see `TensorReader`.

    Yields:
      The `TensorReader`; they can be read while the files are open.

    Raises:
      PretrainedError: there are no such files, or one cannot be read.
    """
    import safetensors

    with contextlib.ExitStack() as stack:
        readers = {}
        for path in _files(folder):
            try:
                file = stack.enter_context(safetensors.safe_open(path, "numpy"))
            except (OSError, safetensors.SafetensorError) as error:
                raise PretrainedError(f"{path} cannot be read: {error}") from None
            for name in file.keys():  # noqa: SIM118, a file is no mapping
                readers[name] = lambda file=file, name=name: file.get_tensor(name)
        yield TensorReader(readers, prefixes)


def _files(folder: epath.Path) -> list[epath.Path]:
    if (folder / SINGLE).exists():
        return [folder / SINGLE]
    if (folder / INDEX).exists():
        try:
            index = json.loads((folder / INDEX).read_text())
            names = sorted(set(index["weight_map"].values()))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise PretrainedError(
                f"{folder / INDEX} is no index: it must be JSON with a weight_map"
            ) from None
        absent = [name for name in names if not (folder / name).exists()]
        if absent:
            raise PretrainedError(f"{folder} lacks {', '.join(absent)}")
        return [folder / name for name in names]
    raise PretrainedError(
        f"{folder} has no {SINGLE} and no {INDEX}; weights of another format become "
        f"such files by transformers: AutoModel.from_pretrained(A).save_pretrained(B)"
    )
