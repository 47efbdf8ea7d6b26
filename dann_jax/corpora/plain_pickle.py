"""Reading pickles that hold nothing but containers, numbers, text and numpy arrays.

A pickle is a program. This reader lets it make plain values only: a name that it asks
for is looked up in a short table, never imported, so that nothing of it can run.
Arrays are rebuilt here, from their bytes; numpy's own way would let a made-up data
type read bytes as addresses.
"""

import io
import math
import pickle
import re
from typing import Any

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import CorpusError

_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?)")
_BUILTINS = ("builtins", "__builtin__")
_SCALARS = (type(None), bool, int, float, complex, str, bytes, np.generic)


def read_plain_pickle(path: epath.PathLike) -> Any:
    """Read a pickle of Python 2 or 3 without running anything of it.

    Args:
      path: of the file.

    Returns:
      Dicts, lists, tuples, sets, numbers, text, bytes and numpy arrays (of numbers,
      text, or plain values).

    Raises:
      CorpusError: the pickle asks for anything else, or is damaged.

    Example:
      >>> import datetime, pathlib, tempfile
      >>> folder = tempfile.TemporaryDirectory()
      >>> path = pathlib.Path(folder.name, "day.pkl")
      >>> _ = path.write_bytes(pickle.dumps({"day": datetime.date.today()}))
      >>> read_plain_pickle(path)  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      dann_jax.corpora.corpus.CorpusError: ... asks for datetime.date: refused, ...
      >>> folder.cleanup()
    """
    path = epath.Path(path)
    if not path.exists():
        raise CorpusError(f"no such file: {path}")
    try:
        return _finish(_Unpickler(path, io.BytesIO(path.read_bytes())).load(), {})
    except CorpusError:
        raise
    # A damaged or hostile pickle can fail in any way.
    except Exception as error:
        raise CorpusError(
            f"{path} is not a pickle of plain values: {error!r}"
        ) from None


# The one in Python: the one in C makes room for whatever size a damaged file claims.
class _Unpickler(pickle._Unpickler):
    def __init__(self, path: epath.Path, file: io.BytesIO) -> None:
        # The bytes of Python 2's arrays come as text, one character a byte.
        super().__init__(file, encoding="latin1")
        self._path = path
        # Made anew for each file: a pickle can set attributes of what it is given.
        self._admitted = _admitted()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._admitted:
            raise CorpusError(
                f"{self._path} asks for {module}.{name}: refused, because a pickle "
                f"that makes more than containers, numbers, text and numpy arrays "
                f"could run any program"
            )
        return self._admitted[module, name]


class _Dtype:
    """Stands for `numpy.dtype`."""

    def __init__(self, code: str, *_: Any) -> None:
        if not _DTYPE.fullmatch(code):
            raise ValueError(f"arrays of type {code!r} are not read")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands for an array until its state comes, and until its elements are whole."""

    def __setstate__(self, state: tuple) -> None:
        self.shape, dtype, fortran, self.data = state[-4:]
        self.dtype = dtype.value
        self.order = "F" if fortran else "C"


def _admitted() -> dict[tuple[str, str], Any]:
    """What a pickle may name, and what it gets."""
    kinds = (list, dict, set, frozenset, tuple, bool, int, float, complex, str)
    found = {(home, kind.__name__): kind for home in _BUILTINS for kind in kinds}
    # Old protocols write empty bytes so.
    found |= {(home, "bytes"): lambda: b"" for home in _BUILTINS}
    for home in ("numpy.core", "numpy._core"):
        found[f"{home}.multiarray", "_reconstruct"] = lambda *_: _Array()
        found[f"{home}.multiarray", "scalar"] = lambda dtype, data: _from_bytes(
            data, dtype.value, (1,), "C"
        )[0]
        found[f"{home}.numeric", "_frombuffer"] = lambda data, dtype, shape, order: (
            _from_bytes(data, dtype.value, shape, order)
        )
    return found | {
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
        ("collections", "OrderedDict"): dict,
        ("collections", "defaultdict"): lambda *_: {},
    }


def _from_bytes(
    data: bytes | str, dtype: np.dtype, shape: tuple[int, ...], order: str
) -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else data
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes are no array of {dtype} and shape {shape}")
    return np.frombuffer(raw, dtype).reshape(shape, order=order).copy()


def _finish(value: Any, done: dict[int, Any]) -> Any:
    """The value with arrays in place of what stands for them.

    Args:
      value: whatever a pickle made.
      done: identity -> result, so that what is shared is walked once.
    """
    if isinstance(value, (*_SCALARS, np.ndarray)):
        return value
    if id(value) not in done:
        done[id(value)] = None
        if isinstance(value, dict):
            result = {key: _finish(item, done) for key, item in value.items()}
        elif isinstance(value, list | tuple | set | frozenset):
            result = type(value)(_finish(item, done) for item in value)
        elif isinstance(value, _Array):
            result = _finish_array(value, done)
        else:
            raise ValueError(f"it holds a {type(value).__name__}")
        done[id(value)] = result
    if done[id(value)] is None:
        raise ValueError("it holds a value that holds itself")
    return done[id(value)]


def _finish_array(value: _Array, done: dict[int, Any]) -> np.ndarray:
    if value.dtype != object:
        return _from_bytes(value.data, value.dtype, value.shape, value.order)
    array = np.empty(len(value.data), object)
    for index, item in enumerate(value.data):
        array[index] = _finish(item, done)
    return array.reshape(value.shape, order=value.order)
