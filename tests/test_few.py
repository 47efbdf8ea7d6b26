"""A few recordings of each speaker hold every emotion."""

import numpy as np
import pytest

from dann_jax.data.few import some_of_each


def rows_of(speakers: list[str], emotions: list[str]) -> dict[str, np.ndarray]:
    columns = {"speaker": np.array(speakers), "emotion": np.array(emotions)}
    return {**columns, "utt_id": np.arange(len(speakers))}


@pytest.mark.parametrize("count", [4, 5, 8])
def test_emotions_differ_by_one_recording_at_most(count: int) -> None:
    # Sorted by emotion, as corpora are, and most of them neutral.
    emotions = ["anger"] * 5 + ["fear"] * 6 + ["joy"] * 7 + ["neutral"] * 30
    few = some_of_each(rows_of(["a"] * 48 + ["b"] * 48, emotions * 2), count)
    for speaker in "ab":
        of_this = few["emotion"][few["speaker"] == speaker]
        counts = np.unique(of_this, return_counts=True)[1]
        assert (counts.sum(), len(counts)) == (count, 4)
        assert np.ptp(counts) <= 1
    assert np.all(np.diff(few["utt_id"]) > 0)


def test_where_an_emotion_has_too_few_others_fill_up() -> None:
    few = some_of_each(rows_of(["a"] * 9, ["joy"] * 8 + ["fear"]), 6)
    assert few["emotion"].tolist() == ["joy"] * 5 + ["fear"]
    # Evenly spread over the order of the corpus.
    assert few["utt_id"].tolist() == [0, 2, 4, 5, 7, 8]


def test_one_of_each_speaker_is_not_always_the_same_emotion() -> None:
    speakers = [name for name in "abcd" for _ in range(4)]
    few = some_of_each(rows_of(speakers, ["anger", "fear", "joy", "sad"] * 4), 1)
    assert sorted(few["emotion"]) == ["anger", "fear", "joy", "sad"]


def test_rows_without_a_speaker_and_small_speakers_stay_whole() -> None:
    given = rows_of(["", "a", "", ""], ["joy", "joy", "joy", "fear"])
    assert some_of_each(given, 2)["utt_id"].tolist() == [0, 1, 2, 3]
