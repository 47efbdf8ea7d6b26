"""Number of bytes that the header of an audio file promises, and that it holds.

libsndfile shortens a truncated file without an error in some formats, and in others
takes a size that a recorder could not know for the truth. The headers are simple enough
to look at beforehand.
"""

import math
import re
import struct
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple

SLACK = 0.05
"""Seconds that a cut may end after the file does: annotations are rounded."""

_W64 = bytes.fromhex("f3acd3118cd100c04f8edb8a")
"""The last twelve of the sixteen bytes that name a chunk of Sony Wave64."""

_CHUNK = re.compile(rb"[A-Za-z0-9][A-Za-z0-9 _.\-]{3}")
_TAGS = 4096
"""Bytes that programs add to the end without making a chunk of them."""

_LARGEST_PAGE = 27 + 255 + 255 * 255
_TAIL = 2 * _LARGEST_PAGE


class Unusable(ValueError):
    """The file has no samples, or fewer than its header promises."""


class Sound(NamedTuple):
    """Position of the samples in a file.

    Attributes:
      start: byte at which it begins.
      claimed: its bytes by the header; None where the header leaves that open.
      there: its bytes in the file.
      header: what to put before these bytes so that a decoder reads all of them; empty
        where decoders need no help.
      unread: bytes after the sound that are no chunk either, as a recorder leaves them
        that never mended its header.
    """

    start: int
    claimed: int | None
    there: int
    header: bytes
    unread: int = 0


def is_placeholder(size: int) -> bool:
    """Whether this is a placeholder of a recorder for an unknown size.

    A header is written before the sound. Who writes to a pipe, or is stopped before the
    header is mended, leaves the largest number that fits, less a header or rounded down
    to some block.

    Args:
      size: of the sound, in bytes, as the header has it.

    Example:
      >>> [is_placeholder(size) for size in (2**32 - 1, 2**31, 0x7FFFF000, 64000)]
      [True, True, True, False]
    """
    powers = (2**31, 2**32, 2**63, 2**64)
    return any(-(2**24) <= size - power <= 2**17 for power in powers)


def find_sound(file: IO[bytes], size: int) -> Sound | None:
    """Position of the samples of a WAV, RF64, Wave64, AIFF, AU or SPHERE file.

    Args:
      file: open for reading, sought in freely.
      size: of the file, in bytes.

    Returns:
      None for other formats, and where the header is damaged.
    """
    magic = _read(file, 0, 4)
    find = {
        b"RIFF": _in_riff,
        b"RIFX": _in_riff,
        b"RF64": _in_riff,
        b"BW64": _in_riff,
        b"riff": _in_wave64,
        b"FORM": _in_aiff,
        b".snd": _in_au,
        b"dns.": _in_au,
        b"NIST": _in_sphere,
    }.get(magic)
    try:
        return find(file, size) if find else None
    except (struct.error, ValueError, KeyError):
        return None


def ogg_is_whole(file: IO[bytes], size: int) -> bool:
    """Whether the last page of an Ogg file is whole and marked as the end.

    Reference:
      RFC 3533, section 6.
    """
    tail = _read(file, max(size - _TAIL, 0), _TAIL)
    offset = tail.rfind(b"OggS\0")
    while offset >= 0:
        page = tail[offset : offset + 27]
        lacing = tail[offset + 27 : offset + 27 + page[26]] if len(page) == 27 else b""
        if len(page) == 27 and len(lacing) == page[26]:
            end = offset + 27 + len(lacing) + sum(lacing)
            return end <= len(tail) and bool(page[5] & 4)
        # A page without its header is cut off; so is the file.
        return False
    return False


def _read(file: IO[bytes], offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _chunks(file: IO[bytes], size: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and declared size of each chunk of a RIFF or IFF file."""
    offset = 12
    while offset + 8 <= size:
        name, length = struct.unpack(f"{order}4sI", _read(file, offset, 8))
        if not _CHUNK.fullmatch(name):
            return
        yield name, offset + 8, length
        offset += 8 + length
        # A chunk of odd size is padded; some programs forget it.
        if length % 2 and not _CHUNK.fullmatch(_read(file, offset, 4)):
            offset += 1


def _ends_well(file: IO[bytes], size: int, start: int, order: str) -> bool:
    """Whether what follows is chunks, or nothing, up to the end of the file."""
    end = start
    while end + 8 <= size:
        name, length = struct.unpack(f"{order}4sI", _read(file, end, 8))
        if not _CHUNK.fullmatch(name):
            return False
        end += 8 + length + length % 2
    return size <= end <= size + 1


def _size(claimed: int, there: int, empty: bool) -> int | None:
    """The size in a header; None for one that was never filled in."""
    if (claimed == 0 and there and not empty) or is_placeholder(claimed):
        return None
    return claimed


def _in_riff(file: IO[bytes], size: int) -> Sound:
    order = ">" if _read(file, 0, 4) == b"RIFX" else "<"
    kept, wide = {}, None
    for name, start, length in _chunks(file, size, order):
        if name == b"data":
            break
        if name == b"ds64":
            (wide,) = struct.unpack("<Q", _read(file, start + 8, 8))
        if name in (b"fmt ", b"fact"):
            kept[name] = _read(file, start, length)
    else:
        raise ValueError("no chunk of data")
    if wide is not None and length == 2**32 - 1:
        length = wide
    there = size - start
    whole = _ends_well(file, size, start + length + length % 2, order)
    claimed = _size(length, there, empty=whole)
    unread = 0 if whole or claimed is None else max(there - claimed - _TAGS, 0)
    header = _wave_header(kept, claimed, there, order)
    return Sound(start, claimed, there, header, unread)


def _in_wave64(file: IO[bytes], size: int) -> Sound:
    kept, offset, length = {}, 40, 0
    while True:
        name, rest, length = struct.unpack("<4s12sQ", _read(file, offset, 24))
        if rest != _W64:
            raise ValueError("no chunk of Wave64")
        if name == b"data":
            break
        if name in (b"fmt ", b"fact"):
            kept[name] = _read(file, offset + 24, length - 24)
        offset += max((length + 7) // 8 * 8, 24)
    start, there = offset + 24, size - offset - 24
    # The size is that of the chunk, its own header among it.
    claimed = _size(max(length - 24, 0), there, empty=False)
    return Sound(start, claimed, there, _wave_header(kept, claimed, there, "<"))


def _wave_header(
    kept: Mapping[bytes, bytes], claimed: int | None, there: int, order: str
) -> bytes:
    """A plain WAV header before the sound: of its chunks, what a decoder needs."""
    sound = there if claimed is None else min(claimed, there)
    chunks = b"".join(
        name + struct.pack(f"{order}I", len(kept[name])) + kept[name]
        for name in (b"fmt ", b"fact")
        if name in kept or name == b"fmt "
    )
    size = 4 + len(chunks) + 8 + sound
    magic, wide, most = b"RIFX" if order == ">" else b"RIFF", b"", 2**32 - 1
    if size > most:
        magic = b"RF64"
        wide = b"ds64" + struct.pack("<IQQQI", 28, size + 36, sound, 0, 0)
    return (
        magic
        + struct.pack(f"{order}I", min(size, most))
        + b"WAVE"
        + wide
        + chunks
        + b"data"
        + struct.pack(f"{order}I", min(sound, most))
    )


def _in_aiff(file: IO[bytes], size: int) -> Sound:
    for name, start, length in _chunks(file, size, ">"):
        if name == b"SSND":
            # The chunk begins with two numbers of its own.
            claimed = _size(max(length - 8, 0), size - start - 8, empty=True)
            return Sound(start + 8, claimed, size - start - 8, b"")
    raise ValueError("no chunk of sound")


def _in_au(file: IO[bytes], size: int) -> Sound:
    order = ">" if _read(file, 0, 4) == b".snd" else "<"
    start, length = struct.unpack(f"{order}II", _read(file, 4, 8))
    there = size - start
    claimed = _size(length, there, empty=False)
    sound = there if claimed is None else min(claimed, there)
    field = struct.pack(f"{order}I", min(sound, 2**32 - 1))
    return Sound(
        start, claimed, there, _read(file, 0, 8) + field + _read(file, 12, start - 12)
    )


def _in_sphere(file: IO[bytes], size: int) -> Sound:
    _, length, *lines = _read(file, 0, 1024).decode("ascii", "replace").split("\n")
    fields = dict(line.split(" ", 1) for line in lines if line.count(" ") >= 2)
    numbers = {
        name: int(fields[name].split()[-1])
        for name in ("sample_count", "channel_count", "sample_n_bytes")
    }
    start = int(length)
    return Sound(start, math.prod(numbers.values()), size - start, b"")
