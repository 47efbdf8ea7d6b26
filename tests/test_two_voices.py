"""The study of two voices under one name scores what it says it does."""

import numpy as np

from benchmarks.studies.two_voices import Voices, fit, scores, within


def test_two_far_voices_disagree_more_than_one() -> None:
    rng = np.random.default_rng(0)
    speaker = np.repeat([f"s{n}" for n in range(8)], 12)
    means = np.repeat(rng.normal(size=(8, 8)) * 4, 12, axis=0)
    gender = np.repeat(["f", "m"] * 4, 12)
    voices = Voices(means + rng.normal(size=(96, 8)), speaker, gender)
    found = scores(fit(voices), voices)
    assert len(found["one"]) == 40
    assert len(found["same"]) + len(found["other"]) == 28 * 5
    assert max(found["one"]) < min(found["same"] + found["other"])
    left_out = within(voices)
    assert np.mean(left_out["one"]) < 0.3
    assert all(left_out["same"] + left_out["other"])
