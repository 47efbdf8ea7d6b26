"""Groups of rows with the same samples, and the sentence about them."""

import hashlib
import pathlib

import numpy as np
import pytest
import soundfile

from dann_jax.data.duplicates import describe_duplicates, find_duplicates


def test_groups_are_in_order_of_their_first_row() -> None:
    hashes = np.array(["z", "a", "b", "a", "z", "c", "z"])
    groups = find_duplicates(hashes)
    assert [group.tolist() for group in groups] == [[0, 4, 6], [1, 3]]


def test_rows_without_a_hash_are_no_copies() -> None:
    assert find_duplicates(np.array(["", "", "x"])) == []
    assert find_duplicates(np.array([], str)) == []


def test_pairs_found_are_all_pairs_that_there_are() -> None:
    hashes = np.random.default_rng(0).integers(0, 40, 60).astype(str)
    pairs = {
        (a, b)
        for group in find_duplicates(hashes)
        for a in group
        for b in group
        if a < b
    }
    rows = range(len(hashes))
    assert pairs == {
        (a, b) for a in rows for b in rows[a + 1 :] if hashes[a] == hashes[b]
    }


@pytest.mark.parametrize(
    ("hashes", "sentence"),
    [
        ("abc", "No two utterances hold the same audio."),
        ("aba", "2 utterances are copies in 1 group (u0 = u2)."),
        (
            "aabbccddee",
            "10 utterances are copies in 5 groups (u0 = u1; u2 = u3; u4 = u5; and 2 "
            "more).",
        ),
    ],
)
def test_the_sentence(hashes: str, sentence: str) -> None:
    columns = {
        "utt_id": np.array([f"u{row}" for row in range(len(hashes))]),
        "speaker": np.full(len(hashes), "ann"),
        "emotion": np.full(len(hashes), "joy"),
    }
    groups = find_duplicates(np.array(list(hashes)))
    assert describe_duplicates(groups, columns) == sentence


def test_the_sentence_says_what_copies_contradict() -> None:
    columns = {
        "utt_id": np.array(list("abcd")),
        "speaker": np.array(["ann", "bob", "ann", "bob"]),
        "emotion": np.array(["joy", "joy", "fear", "joy"]),
    }
    text = describe_duplicates([np.array([0, 1]), np.array([2, 3])], columns)
    assert text.endswith("(a = b; c = d); 2 differ in speaker, 1 in emotion.")


def test_the_known_copy_of_ravdess(shared_data: pathlib.Path) -> None:
    files = sorted((shared_data / "ravdess" / "audio").glob("03-01-03-01-02-*-07.flac"))
    hashes = [
        hashlib.sha256(soundfile.read(file, dtype="int16")[0].tobytes()).hexdigest()
        for file in files
    ]
    assert [group.tolist() for group in find_duplicates(np.array(hashes))] == [[0, 1]]
