"""Tuples of conversation features, and pickles that want to do more than hold them."""

import collections
import datetime
import os
import pathlib
import pickle
import struct
from typing import Any

import numpy as np
import pytest

from dann_jax.data.corpus import CorpusError
from dann_jax.data.open import open_corpus
from dann_jax.data.readers.conversation_pickle import LAYOUTS, read_conversation_pickle
from dann_jax.data.readers.plain_pickle import read_plain_pickle

RNG = np.random.default_rng(0)
TEXT = {
    "Ses01F_impro01": RNG.normal(size=(3, 4)),
    "Ses05M_script01": RNG.normal(size=(2, 4)),
}
AUDIO = {name: list(RNG.normal(size=(len(TEXT[name]), 2))) for name in TEXT}


def iemocap(**changed: Any) -> tuple:
    """The tuple of nine of two dialogues."""
    parts = {
        "ids": {
            "Ses01F_impro01": [f"Ses01F_impro01_{turn}" for turn in ("F0", "M0", "F1")],
            "Ses05M_script01": [f"Ses05M_script01_{turn}" for turn in ("M0", "F0")],
        },
        "speakers": {"Ses01F_impro01": ["F", "M", "F"], "Ses05M_script01": ["M", "F"]},
        "labels": {"Ses01F_impro01": [0, 4, 5], "Ses05M_script01": [3, 2]},
        "text": TEXT,
        "audio": AUDIO,
        "visual": {name: TEXT[name][:, :1] for name in TEXT},
        "sentences": {
            "Ses01F_impro01": ["Hi.", "What?", "No."],
            "Ses05M_script01": ["Why?", "Ça va."],
        },
        "train": ["Ses01F_impro01"],
        "test": ["Ses05M_script01"],
    }
    return tuple((parts | changed).values())


def meld() -> tuple:
    """The tuple of nine of MELD: no visual features, sentiments at the end."""
    party = {0: [np.eye(9)[1], np.eye(9)[0]], 1: [np.eye(9)[0]]}
    return (
        {0: [0, 1], 1: [0]},
        party,
        {0: [6, 4], 1: [0]},
        {0: np.ones((2, 3)), 1: np.zeros((1, 3))},
        {0: np.ones((2, 2)), 1: np.zeros((1, 2))},
        {0: ["a", "b"], 1: ["c"]},
        [0],
        [],
        {0: [2, 1], 1: [0]},
    )


def write(folder: pathlib.Path, value: Any, protocol: int = 4) -> pathlib.Path:
    path = folder / "features.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def test_rows_of_iemocap(tmp_path: pathlib.Path) -> None:
    corpus = read_conversation_pickle(write(tmp_path, iemocap()))
    assert corpus.name == "iemocap"
    assert {name: column.tolist() for name, column in corpus.columns.items()} == {
        "utt_id": [
            *("Ses01F_impro01_F0", "Ses01F_impro01_M0", "Ses01F_impro01_F1"),
            *("Ses05M_script01_M0", "Ses05M_script01_F0"),
        ],
        "dialogue": ["Ses01F_impro01"] * 3 + ["Ses05M_script01"] * 2,
        "turn": ["0", "1", "2", "0", "1"],
        "speaker": ["Ses01F", "Ses01M", "Ses01F", "Ses05M", "Ses05F"],
        "emotion": [*("happiness", "excitement", "frustration", "anger", "neutral")],
        "emotion_word": ["0", "4", "5", "3", "2"],
        "text": ["Hi.", "What?", "No.", "Why?", "Ça va."],
        "split": ["train"] * 3 + ["test"] * 2,
        "corpus": ["iemocap"] * 5,
        "language": ["en"] * 5,
    }


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_features_are_those_of_the_pickle(
    tmp_path: pathlib.Path, protocol: int
) -> None:
    corpus = read_conversation_pickle(write(tmp_path, iemocap(), protocol))
    assert list(corpus.features) == ["text", "audio", "visual"]
    for name, part in (("text", TEXT), ("audio", AUDIO)):
        rows = np.concatenate([np.array(matrix) for matrix in part.values()])
        np.testing.assert_array_equal(corpus.features[name], rows.astype(np.float32))
    assert corpus.provenance["dims"] == {"text": 4, "audio": 2, "visual": 1}


def test_speakers_of_meld_are_known_within_a_dialogue(tmp_path: pathlib.Path) -> None:
    corpus = open_corpus(write(tmp_path, meld()), modalities=("audio",))
    assert corpus.column("speaker").tolist() == ["0/1", "0/0", "1/0"]
    assert corpus.column("utt_id").tolist() == ["0_0", "0_1", "1_0"]
    assert corpus.column("emotion").tolist() == ["anger", "happiness", "neutral"]
    assert corpus.column("split").tolist() == ["train", "train", ""]
    assert corpus.parties().tolist() == [1, 0, 0]
    assert list(corpus.features) == ["audio"]


def test_a_dialogue_without_a_modality_is_absent_there(tmp_path: pathlib.Path) -> None:
    visual = {"Ses05M_script01": np.ones((2, 1))}
    corpus = read_conversation_pickle(write(tmp_path, iemocap(visual=visual)))
    assert corpus.present["visual"].tolist() == [False] * 3 + [True] * 2
    assert corpus.features["visual"].ravel().tolist() == [0, 0, 0, 1, 1]


def test_no_two_layouts_fit_one_tuple() -> None:
    shapes = [
        tuple(field and field in ("train", "test") for field in layout.fields)
        for layout in LAYOUTS.values()
    ]
    assert len(set(shapes)) == len(shapes)


REFUSED: dict[str, tuple[Any, str]] = {
    "a dict": ({"text": 1}, "holds a dict, not a tuple"),
    "too short": (iemocap()[:8], r"8 entries \(dict.*fit no known layout"),
    "a list for a dict": (iemocap(text=[1]), "fit no known layout"),
    "no utterances": (iemocap(labels={}), "holds no utterances"),
    "labels of another length": (
        iemocap(labels={"Ses01F_impro01": [0], "Ses05M_script01": [3, 2]}),
        r"dialogue 'Ses01F_impro01' has 1 labels and 3 ids",
    ),
    "speakers are missing": (
        iemocap(speakers={"Ses01F_impro01": ["F", "M", "F"]}),
        "dialogue 'Ses05M_script01' has 2 labels and 0 speakers",
    ),
    "features of two sizes": (
        iemocap(audio=AUDIO | {"Ses01F_impro01": np.ones((3, 1))}),
        r"audio features have 2 sizes \(\[1, 2\]\)",
    ),
    "ragged features": (
        iemocap(audio=AUDIO | {"Ses05M_script01": [[1], [1, 2]]}),
        "the audio features of dialogue 'Ses05M_script01' are no vectors of one size",
    ),
    "labels that are words": (
        iemocap(labels={"Ses01F_impro01": [[]] * 3, "Ses05M_script01": [3, 2]}),
        "has other entries than the layout of iemocap",
    ),
    "NaN": (
        iemocap(visual={"Ses05M_script01": np.full((2, 1), np.nan)}),
        "2 rows of 'visual' hold NaN",
    ),
    "too large": (
        iemocap(visual={"Ses05M_script01": np.full((2, 1), 1e300)}),
        "2 rows of 'visual' hold NaN or infinite",
    ),
}


@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_tuples(tmp_path: pathlib.Path, value: Any, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_conversation_pickle(write(tmp_path, value))


PLAIN = [
    {"a": [1, 2.5, None, True], "b": ("x", b"y"), "c": {1, 2}, "d": frozenset({3})},
    [2**70, 1 + 2j, "ü", "\ud800"],
    [np.float32(1.5), np.int64(-3), np.bool_(True)],
    [np.arange(6).reshape(2, 3), np.arange(6.0).reshape(2, 3).T, np.zeros((0, 4))],
    [np.array(["ab", "c"]), np.array([b"ab", b"c"]), np.array(3, np.float16)],
    [np.arange(3, dtype=">f4"), np.array([True, False]), np.ones(2, np.complex64)],
    [np.array([[1, "x"], [None, (2,)]], object)],
    collections.OrderedDict(b=1, a=2),
    collections.defaultdict(list, b=[1]),
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
def test_plain_values_are_read_as_pickle_reads_them(
    tmp_path: pathlib.Path, value: Any, protocol: int
) -> None:
    read = read_plain_pickle(write(tmp_path, value, protocol))
    assert repr(read) == repr(dict(value) if isinstance(value, dict) else value)


def test_shared_values_are_walked_once(tmp_path: pathlib.Path) -> None:
    value: list = [np.ones(1)]
    for _ in range(200):
        value = [value, value]
    read = read_plain_pickle(write(tmp_path, value))
    for _ in range(200):
        assert read[0] is read[1]
        read = read[0]


def test_a_pickle_of_python_2_is_read(tmp_path: pathlib.Path) -> None:
    # What Python 2 and its numpy write for array([1.0, -2.0]): text for the bytes.
    raw = struct.pack("<2d", 1.0, -2.0)
    path = tmp_path / "features.pkl"
    path.write_bytes(
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        b"U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<"
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10" + raw + b"tb."
    )
    np.testing.assert_array_equal(read_plain_pickle(path), [1.0, -2.0])


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


ATTACKS: dict[str, Any] = {
    "os.mkdir": lambda path: pickle.dumps(Call(os.mkdir, path)),
    "inside a tuple": lambda path: pickle.dumps((*iemocap(), Call(os.mkdir, path))),
    "inside an array": lambda path: pickle.dumps(
        np.array([Call(os.mkdir, path)], object)
    ),
    "eval": lambda path: pickle.dumps(Call(eval, f"__import__('os').mkdir({path!r})")),
    "getattr": lambda path: pickle.dumps(Call(getattr, [], "append")),
    "a dotted name": lambda path: (
        b"\x80\x04\x8c\x05numpy\x8c\x1adtype.__init__.__globals__\x93."
    ),
    "a submodule through numpy": lambda path: (
        b"cnumpy\nos.system\n(S'mkdir " + path.encode() + b"'\ntR."
    ),
    "instance opcode": lambda path: b"(S'" + path.encode() + b"'\nios\nmkdir\n.",
    "object opcode": lambda path: b"(cos\nmkdir\nS'" + path.encode() + b"'\no.",
    "numpy's own loader": lambda path: b"cnumpy\nload\n(S'x'\ntR.",
    "a persistent id": lambda path: b"Pos.mkdir\n.",
    "an extension code": lambda path: b"\x80\x02\x82\x01.",
    # Its state could declare objects where the bytes of the array are.
    "a data type with fields": lambda path: pickle.dumps(
        np.zeros(1, np.dtype({"names": ["a"], "formats": ["i4"]}))
    ),
    "a harmless class": lambda path: pickle.dumps(datetime.date(2000, 1, 1)),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_attacks_are_refused_and_nothing_is_run(
    tmp_path: pathlib.Path, attack: Any
) -> None:
    sprung = tmp_path / "sprung"
    path = tmp_path / "features.pkl"
    path.write_bytes(attack(str(sprung)))
    with pytest.raises(CorpusError, match=r"features\.pkl"):
        read_conversation_pickle(path)
    assert not sprung.exists()


def test_the_trap_works(tmp_path: pathlib.Path) -> None:
    sprung = tmp_path / "sprung"
    pickle.loads(ATTACKS["os.mkdir"](str(sprung)))
    assert sprung.exists()


def test_the_error_names_what_was_asked_for(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, Call(os.mkdir, "x"))
    with pytest.raises(CorpusError, match=r"asks for posix\.mkdir: refused, because"):
        read_plain_pickle(path)


def array_state(shape: tuple, dtype: str, data: Any) -> bytes:
    """The pickle of an array whose state says this."""

    class State:
        def __reduce__(self) -> tuple:
            rebuild, arguments, _ = np.zeros(1).__reduce__()
            return rebuild, arguments, (1, shape, np.dtype(dtype), False, data)

    return pickle.dumps(State(), 2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps(list(range(1000)))[:-10],
        array_state((1000,), "f8", b"12345678"),
        array_state((-1,), "f8", b"12345678"),
        array_state((1,), "O", b"12345678"),
        array_state((3,), "O", [1, 2]),
        array_state((2,), "f8", [1.0, 2.0]),
        b"]\x94h\x00a.",
        b"cnumpy\ndtype\n(S'f8'\ntRS'state'\nb.",
        b"cnumpy\nndarray\n(tR.",
        b"ccollections\ndefaultdict\n}S'__code__'\nI1\ns\x86b.",
        b"(" * 100,
        # It claims bytes, and a place in the memo, that no machine has room for.
        b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"x.",
        b"\x80\x02]r" + (2**32 - 1).to_bytes(4, "little") + b".",
    ],
    ids=range(15),
)
def test_damaged_pickles_are_named(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "features.pkl"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"features\.pkl"):
        read_conversation_pickle(path)


def test_a_value_that_holds_itself_is_refused(tmp_path: pathlib.Path) -> None:
    value: list = []
    value.append(value)
    with pytest.raises(CorpusError, match="holds a value that holds itself"):
        read_plain_pickle(write(tmp_path, value))


def test_a_missing_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"no such file: .*nothing\.pkl"):
        read_conversation_pickle(tmp_path / "nothing.pkl")
