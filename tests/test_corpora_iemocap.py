"""The IEMOCAP release reader on a miniature release; the facts of the real table."""

import pathlib
from collections.abc import Sequence

import numpy as np
import pytest

from dann_jax.data.corpus import CorpusError
from dann_jax.data.manifest import read_manifest, write_manifest
from dann_jax.data.readers.catalogue import read_audio_corpus
from dann_jax.data.readers.filenames import differences
from dann_jax.data.readers.iemocap import (
    COLUMNS,
    EMOTIONS,
    EXPECTED,
    read_iemocap_release,
)
from dann_jax.data.readers.table import read_feature_table

RATER_LINES = "C-E2:\tAnger;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"


def summary(
    start: float,
    end: float,
    utterance: str,
    code: str,
    ratings: Sequence[float] = (2.5, 2.5, 2.5),
) -> str:
    rated = ", ".join(f"{rating:.4f}" for rating in ratings)
    return f"[{start:.4f} - {end:.4f}]\t{utterance}\t{code}\t[{rated}]"


def write_dialogue(
    root: pathlib.Path,
    session: str,
    dialogue: str,
    summaries: Sequence[str],
    transcripts: Sequence[str] = (),
    wavs: Sequence[str] = (),
) -> None:
    folder = root / session
    header = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    for place, text in (
        ("EmoEvaluation", header + "".join(f"{s}\n{RATER_LINES}\n" for s in summaries)),
        ("transcriptions", "".join(f"{line}\n" for line in transcripts)),
    ):
        path = folder / "dialog" / place / f"{dialogue}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in wavs:
        path = folder / "sentences" / "wav" / dialogue / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


@pytest.fixture
def release(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two sessions; the dialogue of the first is listed out of its order in time."""
    root = tmp_path / "IEMOCAP_full_release"
    write_dialogue(
        root,
        "Session1",
        "Ses01F_impro01",
        [
            summary(6.2901, 8.2357, "Ses01F_impro01_F000", "neu"),
            summary(19.29, 20.7875, "Ses01F_impro01_F001", "exc", (4, 3.6667, 3)),
            summary(10.01, 11.3925, "Ses01F_impro01_M000", "hap", (4.5, 3, 2)),
            summary(100.5, 101, "Ses01F_impro01_M001", "xxx"),
        ],
        [
            "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.",
            "Ses01F_impro01_M000 [010.0100-011.3925]: Do you have your forms, please?",
        ],
        ["Ses01F_impro01_F000", "Ses01F_impro01_M000"],
    )
    write_dialogue(
        root,
        "Session5",
        "Ses05M_script01_1b",
        [summary(1, 2, "Ses05M_script01_1b_F000", "fru")],
    )
    return root


def column_of(columns: dict[str, np.ndarray], name: str) -> dict[str, str]:
    return dict(zip(columns["utt_id"], columns[name], strict=True))


def test_rows_are_the_rated_utterances_sorted_by_id(release: pathlib.Path) -> None:
    columns = read_iemocap_release(release)
    assert tuple(columns) == COLUMNS
    assert columns["utt_id"].tolist() == [
        "Ses01F_impro01_F000",
        "Ses01F_impro01_F001",
        "Ses01F_impro01_M000",
        "Ses01F_impro01_M001",
        "Ses05M_script01_1b_F000",
    ]


def test_first_row_in_full(release: pathlib.Path) -> None:
    columns = read_iemocap_release(release)
    assert {name: column[0] for name, column in columns.items()} == {
        "utt_id": "Ses01F_impro01_F000",
        "session": "1",
        "speaker": "Ses01F",
        "gender": "f",
        "dialogue": "Ses01F_impro01",
        "turn": "0",
        "dialogue_start": "6.2901",
        "dialogue_end": "8.2357",
        "style": "impro",
        "emotion": "neutral",
        "emotion6": "neutral",
        "valence": "2.5",
        "activation": "2.5",
        "dominance": "2.5",
        "language": "en",
        "corpus": "iemocap",
        "text": "Excuse me.",
        "file": "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    }


def test_turns_of_both_speakers_interleave_in_time(release: pathlib.Path) -> None:
    turns = column_of(read_iemocap_release(release), "turn")
    assert turns == {
        "Ses01F_impro01_F000": "0",
        "Ses01F_impro01_M000": "1",
        "Ses01F_impro01_F001": "2",
        "Ses01F_impro01_M001": "3",
        "Ses05M_script01_1b_F000": "0",
    }


def test_the_speaker_is_who_talks_not_who_wore_the_markers(
    release: pathlib.Path,
) -> None:
    columns = read_iemocap_release(release)
    assert column_of(columns, "speaker")["Ses01F_impro01_M000"] == "Ses01M"
    assert column_of(columns, "speaker")["Ses05M_script01_1b_F000"] == "Ses05F"
    assert column_of(columns, "gender")["Ses05M_script01_1b_F000"] == "f"


def test_excitement_is_happiness_except_in_the_six_class_column(
    release: pathlib.Path,
) -> None:
    columns = read_iemocap_release(release)
    assert columns["emotion"].tolist() == [
        *("neutral", "happiness", "happiness", "no_agreement", "frustration")
    ]
    assert columns["emotion6"].tolist() == [
        *("neutral", "excitement", "happiness", "", "frustration")
    ]


def test_no_agreement_is_no_emotion_among_the_audio_corpora(
    release: pathlib.Path,
) -> None:
    columns = read_audio_corpus("iemocap", release)
    assert columns["emotion"].tolist() == [
        *("neutral", "happiness", "happiness", "", "frustration")
    ]
    assert columns["emotion_word"][3] == "no_agreement"
    # The files are cut already: nothing may cut them again.
    assert not {"start", "end"} & set(columns)


def test_ratings_are_valence_activation_dominance(release: pathlib.Path) -> None:
    columns = read_iemocap_release(release)
    ratings = [columns[name][1] for name in ("valence", "activation", "dominance")]
    assert ratings == ["4.0", "3.6667", "3.0"]


def test_style_and_dialogue_come_from_the_id(release: pathlib.Path) -> None:
    columns = read_iemocap_release(release)
    assert columns["style"].tolist() == ["impro"] * 4 + ["script"]
    assert columns["dialogue"][4] == "Ses05M_script01_1b"
    assert columns["session"][4] == "5"


def test_absent_wav_and_transcript_are_empty(release: pathlib.Path) -> None:
    columns = read_iemocap_release(release)
    present = [bool(name) for name in columns["file"]]
    assert present == [True, False, True, False, False]
    assert [bool(text) for text in columns["text"]] == present


def test_macos_shadow_files_are_ignored(release: pathlib.Path) -> None:
    before = read_iemocap_release(release)
    for path in list(release.rglob("*.*")):
        (path.parent / f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\n[\xff\n")
    after = read_iemocap_release(release)
    assert {name: c.tolist() for name, c in after.items()} == {
        name: c.tolist() for name, c in before.items()
    }


def test_a_stray_byte_in_a_transcript_costs_one_character(
    release: pathlib.Path,
) -> None:
    path = release / "Session1/dialog/transcriptions/Ses01F_impro01.txt"
    path.write_bytes(b"Ses01F_impro01_F000 [006.29-008.23]: caf\xe9.\n")
    assert read_iemocap_release(release)["text"][0] == "caf\ufffd."


def test_joined_with_features_by_id(
    release: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    columns = read_iemocap_release(release)
    folder = tmp_path / "table"
    folder.mkdir()
    write_manifest(folder / "manifest.csv", columns)
    ids, values = columns["utt_id"][::-1], np.arange(10.0).reshape(5, 2)[::-1]
    np.savez(folder / "features.npz", utt_id=ids, acoustic=values)
    corpus = read_feature_table(folder)
    assert corpus.name == "iemocap"
    np.testing.assert_array_equal(corpus.features["acoustic"][:, 0], [0, 2, 4, 6, 8])
    assert corpus.columns["text"].tolist() == columns["text"].tolist()


def test_missing_root(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"no such folder: .*nowhere"):
        read_iemocap_release(tmp_path / "nowhere")


def test_no_session_folder(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"holds no Session folder.*Session1"):
        read_iemocap_release(tmp_path)


def test_session_without_evaluations(release: pathlib.Path) -> None:
    (release / "Session2" / "dialog").mkdir(parents=True)
    with pytest.raises(CorpusError, match=r"Session2 has no dialog/EmoEvaluation"):
        read_iemocap_release(release)


def test_evaluations_without_a_summary_line(tmp_path: pathlib.Path) -> None:
    write_dialogue(tmp_path, "Session1", "Ses01F_impro01", [])
    with pytest.raises(CorpusError, match="no evaluation file holds a summary line"):
        read_iemocap_release(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "[6.2901 - 8.2357]\tSes01F_impro02_F000\tneu\t[2.5000, 2.5000]",
        "[6.2901 8.2357]\tSes01F_impro02_F000\tneu\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro02\tneu\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro02_F000\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro02_F000\tneu\t[2.5000, 2.5000, 2.5000] 1",
    ],
)
def test_malformed_summary_names_file_and_line(
    release: pathlib.Path, line: str
) -> None:
    write_dialogue(release, "Session1", "Ses01F_impro02", [line])
    with pytest.raises(CorpusError, match=r"Ses01F_impro02\.txt, line 3: expected"):
        read_iemocap_release(release)


def test_unknown_emotion_code(release: pathlib.Path) -> None:
    line = summary(1, 2, "Ses01F_impro02_F000", "joy")
    write_dialogue(release, "Session1", "Ses01F_impro02", [line])
    with pytest.raises(CorpusError, match=r"txt, line 3: unknown.*'joy'.*ang, hap"):
        read_iemocap_release(release)


def test_real_table_has_the_published_counts(shared_data: pathlib.Path) -> None:
    corpus = read_feature_table(shared_data / "iemocap")
    counts = {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084}
    emotion = corpus.column("emotion")
    assert {word: (emotion == word).sum() for word in counts} == counts
    four = np.isin(emotion, list(counts))
    sessions, found = np.unique(corpus.column("session")[four], return_counts=True)
    assert dict(zip(sessions, found, strict=True)) == {
        **{"1": 1085, "2": 1023, "3": 1151, "4": 1031, "5": 1241}
    }
    lengths = [len(rows) for rows in corpus.dialogues()]
    assert (len(lengths), max(lengths)) == (151, 167)


def test_a_release_with_the_real_rows_reads_back_as_the_real_table(
    shared_data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    real = read_manifest(shared_data / "iemocap" / "manifest.csv")
    codes = {emotion: code for code, (emotion, _) in EMOTIONS.items()}
    dialogues: dict[tuple[str, str], list[str]] = {}
    for values in zip(*real.values(), strict=True):
        row = dict(zip(real, values, strict=True))
        line = summary(
            float(row["start"]),
            float(row["end"]),
            row["utt_id"],
            codes[row["emotion"]],
            [float(row[name]) for name in ("valence", "activation", "dominance")],
        )
        place = (f"Session{row['session']}", row["dialogue"])
        dialogues.setdefault(place, []).append(line)
    for (session, dialogue), lines in dialogues.items():
        write_dialogue(tmp_path, session, dialogue, lines)
    read = read_iemocap_release(tmp_path)
    # The line says one word for both columns, and the table orders by another rule
    # where two people talk at once.
    for name in set(real) - {"emotion6", "turn"}:
        ours = f"dialogue_{name}" if name in ("start", "end") else name
        np.testing.assert_array_equal(read[ours], real[name], err_msg=name)
    assert differences(read, EXPECTED) == ""


@pytest.mark.parametrize("suffix", [".WAV", ".Wav", ".flac", ".FLAC"])
def test_recordings_of_any_suffix_are_found(release: pathlib.Path, suffix: str) -> None:
    before = read_iemocap_release(release)["file"]
    for path in sorted(release.rglob("sentences/wav/*/Ses*.wav")):
        path.rename(path.with_suffix(suffix))
    after = read_iemocap_release(release)["file"]
    assert before.astype(bool).any()
    assert after.tolist() == [name.replace(".wav", suffix) for name in before]
