"""Which files hold sound, by their names and first bytes."""

NEED_DECODER = (
    *(".m4a", ".m4b", ".m4r", ".m4v", ".mp4", ".aac", ".mov", ".qt", ".3gp", ".3g2"),
    *(".webm", ".weba", ".mkv", ".mka", ".wma", ".wmv", ".asf", ".amr", ".awb", ".avi"),
    *(".ac3", ".eac3", ".ape", ".wv", ".tta", ".mpc", ".flv", ".mpg", ".mpeg", ".mp2"),
    *(".ra", ".rm", ".dts", ".spx", ".ogv", ".dss"),
)
"""Suffixes of sound that libsndfile cannot decode and FFmpeg can."""

SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".bwf", ".wave", ".sph", ".nist"),
    *NEED_DECODER,
)
"""What is taken for audio in a folder; a file that is named may end in anything."""

_MAGIC = {
    (4, b"ftyp"): "mp4",
    (0, b"\x1a\x45\xdf\xa3"): "webm",
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"): "wma",
    (0, b"#!AMR"): "amr",
    (0, b"FLV\x01"): "flv",
}
"""Offset and bytes -> what such a file is usually called."""

_DECODABLE = {
    **dict.fromkeys((b"RIFF", b"RIFX", b"RF64"), ".wav"),
    **{b"FORM": ".aiff", b"fLaC": ".flac", b"OggS": ".ogg"},
    **{b".snd": ".au", b"caff": ".caf"},
}
"""First bytes of what libsndfile decodes, whatever it is called -> a suffix."""

_MP3 = (b"ID3", b"\xff\xfb", b"\xff\xf3")
"""How an mp3 file may begin; a tag of ID3 may be before other sound, too."""


def media_format(head: bytes, suffix: str) -> str:
    r"""What to call a file that libsndfile cannot decode; empty for any other.

    Args:
      head: its first bytes.
      suffix: of its name.

    Example:
      >>> media_format(b"\0\0\0\x20ftypM4A ", ".wav"), media_format(b"RIFF", ".mp4")
      ('mp4', '')
    """
    own = suffix.lower().removeprefix(".") if suffix.lower() in NEED_DECODER else ""
    for (offset, magic), name in _MAGIC.items():
        if head[offset:].startswith(magic):
            return own or name
    return "" if head.startswith(tuple(_DECODABLE)) else own


def suffix_of(head: bytes) -> str:
    """A suffix for sound that has no name, by its first bytes; `.wav` if in doubt.

    Example:
      >>> suffix_of(b"fLaC"), suffix_of(b"ID3")
      ('.flac', '.mp3')
    """
    if head.startswith(_MP3):
        return ".mp3"
    known = (suffix for magic, suffix in _DECODABLE.items() if head.startswith(magic))
    return next(known, ".wav")
