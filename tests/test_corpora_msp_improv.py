"""MSP-IMPROV: a tree of recordings and the file that says what listeners heard."""

import logging
import pathlib

import pytest

from dann_jax.data.corpus import CorpusError
from dann_jax.data.readers.catalogue import read_audio_corpus
from dann_jax.data.readers.msp_improv import EXPECTED, read_msp_improv

EVALUATION = """\
UTD-IMPROV-S01A-F01-P-FM01.avi; H; A:2.800000; V:3.400000; D:NaN ; N:4.000000;
F-p01; Happy; Happy,Excited; A:2.000000; V:4.000000; D:3.000000; N:4.000000;
M-p02; Neutral; Neutral; A:3.000000; V:3.000000; D:3.000000; N:4.000000;

UTD-IMPROV-S14N-M06-R-MM02.avi; X; A:3.000000; V:1.500000; D:2.000000 ; N:3.000000;
F-p01; Sad; Sad; A:3.000000; V:2.000000; D:3.000000; N:4.000000;
"""
FILES = (
    "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav",
    "session6/S14N/R/MSP-IMPROV-S14N-M06-R-MM02.wav",
)


@pytest.fixture
def release(tmp_path: pathlib.Path) -> pathlib.Path:
    for file in FILES:
        path = tmp_path / "Audio" / file
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "Evalution.txt").write_text(EVALUATION)
    return tmp_path


def test_rows_join_names_and_evaluation(release: pathlib.Path) -> None:
    columns = read_audio_corpus("msp_improv", release)
    first, second = (
        {name: str(column[row]) for name, column in columns.items()} for row in (0, 1)
    )
    assert first == {
        "utt_id": "MSP-IMPROV-S01A-F01-P-FM01",
        "file": f"Audio/{FILES[0]}",
        "speaker": "F01",
        "gender": "f",
        "session": "1",
        "sentence": "01",
        "style": "natural",
        "emotion": "happiness",
        "emotion_word": "H",
        "activation": "2.8",
        "valence": "3.4",
        "dominance": "",
        "language": "en",
        "corpus": "msp_improv",
    }
    assert (second["speaker"], second["gender"], second["session"]) == ("M06", "m", "6")
    # Listeners did not agree.
    assert (second["style"], second["emotion"]) == ("read", "")
    assert (second["emotion_word"], second["valence"]) == ("X", "1.5")


def test_a_file_that_nobody_heard_is_unlabelled(
    release: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (release / "MSP-IMPROV-S20H-F02-T-FM11.wav").touch()
    with caplog.at_level(logging.WARNING):
        columns = read_msp_improv(release)
    assert columns["emotion"].tolist() == ["H", "X", ""]
    assert "lacks 1 files, such as MSP-IMPROV-S20H-F02-T-FM11" in caplog.text


def test_the_other_spelling_of_the_evaluation(release: pathlib.Path) -> None:
    (release / "Evalution.txt").rename(release / "Audio" / "Evaluation.txt")
    assert read_msp_improv(release)["emotion"].tolist() == ["H", "X"]


def test_without_evaluation(release: pathlib.Path) -> None:
    (release / "Evalution.txt").unlink()
    with pytest.raises(CorpusError, match=r"has no Evaluation\.txt"):
        read_msp_improv(release)
    with pytest.raises(CorpusError, match="no such folder"):
        read_msp_improv(release / "nowhere")


def test_a_malformed_line_is_named(release: pathlib.Path) -> None:
    (release / "Evalution.txt").write_text(EVALUATION.replace("X; A:3.0", "X; A=3.0"))
    with pytest.raises(CorpusError, match=r"Evalution\.txt, line 5: expected 'UTD-"):
        read_msp_improv(release)


def test_expected_counts_are_those_of_the_paper() -> None:
    assert sum(EXPECTED.emotions.values()) == 652 + 620 + 4381 + 2785
