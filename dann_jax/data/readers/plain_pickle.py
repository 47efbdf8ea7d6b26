"""Reading pickles that hold nothing but containers, numbers, text and numpy arrays.

A pickle is a program. This reader lets it make plain values only: a name that it asks
for is looked up in a short table, never imported, so that nothing of it can run.
Arrays are rebuilt here, from their bytes; numpy's own way would let a made-up data
type read bytes as addresses. A few bytes may also describe values that take years to
hash or to write out, tuples of one tuple twice and so on: keys are plain, and a reader
that writes values out says how large they may become.
"""

import io
import math
import pickle
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.words import shortened

_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?)")
_BUILTINS = ("builtins", "__builtin__")
_SCALARS = (type(None), bool, int, float, complex, str, bytes, np.generic)


def read_plain_pickle(path: epath.PathLike, most: float = math.inf) -> Any:
    """Read a pickle of Python 2 or 3 without running anything of it.

    Args:
      path: of the file.
      most: bytes that the values may come to if what is shared is counted every time.

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
      dann_jax.data.corpus.CorpusError: ... asks for datetime.date: refused, ...
      >>> folder.cleanup()
    """
    path = epath.Path(path)
    if not path.exists():
        raise CorpusError(f"no such file: {path}")
    try:
        read = _Unpickler(path, io.BytesIO(path.read_bytes())).load()
        return _Finisher(most).finish(read)[0]
    except CorpusError:
        raise
    # A damaged or hostile pickle can fail in any way.
    except Exception as error:
        raise CorpusError(
            f"{path} is not a pickle of plain values: {shortened(repr(error), 200)}"
        ) from None


def _require_plain(keys: Iterable[Any]) -> None:
    """Nested keys may take years to hash."""
    for key in keys:
        parts = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(part, _SCALARS) for part in parts):
            raise ValueError(f"a {type(key).__name__} of other values is no key")


def _with_plain_keys(load: Callable, keys: slice) -> Callable:
    def load_checked(self: Any) -> None:
        _require_plain(self.stack[keys])
        load(self)

    return load_checked


_KEYS = {
    pickle.SETITEM[0]: slice(-2, -1),
    pickle.SETITEMS[0]: slice(None, None, 2),
    pickle.DICT[0]: slice(None, None, 2),
    pickle.ADDITEMS[0]: slice(None),
    pickle.FROZENSET[0]: slice(None),
}
"""Instruction that hashes values -> where on the stack they are."""


# The one in Python: the one in C makes room for whatever size a damaged file claims.
class _Unpickler(pickle._Unpickler):
    dispatch = dict(pickle._Unpickler.dispatch)
    for code, keys in _KEYS.items():
        dispatch[code] = _with_plain_keys(dispatch[code], keys)

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
    """Names that a pickle may use -> replacements."""
    allowed: dict[tuple[str, str], Any] = {}
    for home in _BUILTINS:
        # What a `defaultdict` makes; nothing calls them here.
        kinds = ("list", "dict", "int", "float", "str")
        allowed |= dict.fromkeys((home, kind) for kind in kinds)
        allowed[home, "set"] = lambda items=(): set(_plain_items(items))
        allowed[home, "frozenset"] = lambda items=(): frozenset(_plain_items(items))
        allowed[home, "complex"] = complex
        # Old protocols write empty bytes so.
        allowed[home, "bytes"] = lambda: b""
    for home in ("numpy.core", "numpy._core"):
        allowed[f"{home}.multiarray", "_reconstruct"] = lambda *_: _Array()
        allowed[f"{home}.multiarray", "scalar"] = lambda dtype, data: _from_bytes(
            data, dtype.value, (1,), "C"
        )[0]
        allowed[f"{home}.numeric", "_frombuffer"] = lambda data, dtype, shape, order: (
            _from_bytes(data, dtype.value, shape, order)
        )
    return allowed | {
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
        ("collections", "OrderedDict"): _dict_of,
        ("collections", "defaultdict"): lambda *_: {},
    }


def _plain_items(items: list) -> list:
    _require_plain(items)
    return items


def _dict_of(pairs: Sequence = ()) -> dict:
    _require_plain(key for key, _ in pairs)
    return dict(pairs)


def _from_bytes(
    data: bytes | str, dtype: np.dtype, shape: tuple[int, ...], order: Any
) -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else data
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes are no array of {dtype} and shape {shape}")
    return np.frombuffer(raw, dtype).reshape(shape, order=order).copy()


class _Finisher:
    """Replaces stand-ins by arrays, and counts values."""

    def __init__(self, most: float) -> None:
        self._most = most
        # Identity -> result and size, so that what is shared is walked once.
        self._done: dict[int, tuple[Any, int] | None] = {}

    def finish(self, value: Any) -> tuple[Any, int]:
        """The value, and its size if everything in it were written out."""
        if isinstance(value, _SCALARS):
            return value, 1 + (len(value) if isinstance(value, str | bytes) else 8)
        if id(value) not in self._done:
            self._done[id(value)] = None
            self._done[id(value)] = self._finish_new(value)
        finished = self._done[id(value)]
        if finished is None:
            raise ValueError("it holds a value that holds itself")
        if finished[1] > self._most:
            raise ValueError("it holds the same values more often than features do")
        return finished

    def _finish_new(self, value: Any) -> tuple[Any, int]:
        if isinstance(value, np.ndarray):
            return value, 1 + value.nbytes
        if isinstance(value, dict):
            items, size = self._finish_all(value.values())
            return dict(zip(value, items, strict=True)), size + len(value)
        if isinstance(value, list | tuple | set | frozenset):
            items, size = self._finish_all(value)
            return type(value)(items), size
        if isinstance(value, _Array):
            return self._finish_array(value)
        raise ValueError(f"it holds a {type(value).__name__}")

    def _finish_all(self, values: Iterable[Any]) -> tuple[list[Any], int]:
        sized = [self.finish(value) for value in values]
        return [item for item, _ in sized], 1 + sum(size for _, size in sized)

    def _finish_array(self, value: _Array) -> tuple[np.ndarray, int]:
        if value.dtype != object:
            array = _from_bytes(value.data, value.dtype, value.shape, value.order)
            return array, 1 + array.nbytes
        items, size = self._finish_all(value.data)
        array = np.empty(len(items), object)
        for index, item in enumerate(items):
            array[index] = item
        return array.reshape(value.shape, order=value.order), size
