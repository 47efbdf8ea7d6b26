"""From predictions to `results.json` and its table, on a case small enough to count."""

import copy
import json

import numpy as np
import pytest

from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.seed_averages import averaged_scores
from dann_jax.evaluation.summaries import (
    comparisons,
    fold_counts,
    replica_scores,
    speaker_counts,
    summarise,
)
from dann_jax.report.tables import result_table
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.splits import Split
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.utils.files import strict

# Ann is tested in the first fold, Bob in the second, Cid in neither.
SPEAKER = np.array(["cid", "ann", "ann", "ann", "bob", "bob", "cid"])
EMOTION = np.array(["anger", "anger", "anger", "joy", "anger", "joy", "joy"])
TESTED = np.array([1, 2, 3, 4, 5])
OWN = {who: np.char.equal(SPEAKER, who) for who in ("ann", "bob")}
CORPUS = Corpus(
    name="toy",
    columns={
        "utt_id": np.arange(7).astype(str),
        "speaker": SPEAKER,
        "emotion": EMOTION,
    },
    features={},
    present={},
)
PROTOCOL = assign_roles(
    CORPUS,
    [Split(f"fold {who}", ~own, own, ~own & own) for who, own in OWN.items()],
    name="leave-one-out",
    labels=("anger", "joy"),
    unlabelled=("test",),
    validation_folds=0,
)
# On eight devices there are four groups to report and four fillers.
LAYOUT = ReplicaLayout(
    PROTOCOL.folds,
    [10, 11],
    {"source_only": {"speaker": 0.0}, "dann": {"speaker": 1.0}},
    make_mesh(8),
)


def logits_of(guesses: dict[tuple[str, int], dict[str, str]]) -> np.ndarray:
    """Logits `[groups, arms, n, labels]`; NaN for rows that a group does not test."""
    logits = np.full((4, 2, len(TESTED), 2), np.nan, np.float32)
    for (arm, seed), by_speaker in guesses.items():
        for fold, speaker in enumerate(("ann", "bob")):
            group = 2 * fold + [10, 11].index(seed)
            rows = np.flatnonzero(SPEAKER[TESTED] == speaker)
            for row, guess in zip(rows, by_speaker[speaker], strict=True):
                logits[group, list(LAYOUT.arms).index(arm), row] = np.eye(2)[int(guess)]
    return logits


# The truth is 001 for Ann and 01 for Bob.
LOGITS = logits_of(
    {
        ("source_only", 10): {"ann": "011", "bob": "11"},
        ("source_only", 11): {"ann": "111", "bob": "10"},
        ("dann", 10): {"ann": "001", "bob": "01"},
        ("dann", 11): {"ann": "001", "bob": "11"},
    }
)
REPLICAS = replica_scores(LOGITS, TESTED, PROTOCOL, LAYOUT)
COUNTS = speaker_counts(LOGITS, TESTED, SPEAKER, PROTOCOL, LAYOUT)
TRAININGS = fold_counts(REPLICAS, LAYOUT)


def results() -> dict:
    """As in `results.json`."""
    probe = {"accuracy": 0.75, "chance": 0.5}
    return {
        "system": "toy system",
        "corpora": ["toy"],
        "labels": list(PROTOCOL.labels),
        "protocol": {
            "name": PROTOCOL.name,
            "transductive": True,
            "selection": "last",
            "allowed_leaks": [],
        },
        "replicas": [
            {**replica, "selected_step": 4, "domain_probe": probe}
            for replica in REPLICAS
        ],
        "summary": summarise(REPLICAS, COUNTS),
        "comparisons": comparisons(COUNTS, trainings=TRAININGS),
        "timing": {"compile_s": 1.0, "train_s": 2.0, "utterances_per_s": 3.0},
    }


def row_of(table: str, *words: str) -> list[str]:
    """Cells of the only line that begins with the words."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    (found,) = [cells for cells in lines if cells[: len(words)] == list(words)]
    return found


def test_every_replica_is_scored_on_the_rows_its_fold_tests_and_fillers_are_not() -> (
    None
):
    assert len(LAYOUT.fold_of) == 8
    found = [
        (r["fold"], r["seed"], r["arm"], r["n_test"], round(r["wa"], 4), r["ua"])
        for r in REPLICAS
    ]
    assert found == [
        ("fold ann", 10, "source_only", 3, 0.6667, 0.75),
        ("fold ann", 10, "dann", 3, 1.0, 1.0),
        ("fold ann", 11, "source_only", 3, 0.3333, 0.5),
        ("fold ann", 11, "dann", 3, 1.0, 1.0),
        ("fold bob", 10, "source_only", 2, 0.5, 0.5),
        ("fold bob", 10, "dann", 2, 1.0, 1.0),
        ("fold bob", 11, "source_only", 2, 0.0, 0.0),
        ("fold bob", 11, "dann", 2, 0.5, 0.5),
    ]
    assert REPLICAS[0]["confusion"] == [[1, 1], [0, 1]]


def test_counts_are_of_each_seed_and_tested_speaker() -> None:
    assert list(COUNTS) == ["source_only", "dann"]
    # [seed, speaker (Ann, Bob), truth, guess].
    np.testing.assert_array_equal(
        COUNTS["source_only"],
        [
            [[[1, 1], [0, 1]], [[0, 1], [0, 1]]],
            [[[0, 2], [0, 1]], [[0, 1], [1, 0]]],
        ],
    )
    np.testing.assert_array_equal(
        COUNTS["dann"],
        [
            [[[2, 0], [0, 1]], [[1, 0], [0, 1]]],
            [[[2, 0], [0, 1]], [[0, 1], [0, 1]]],
        ],
    )


def test_a_speaker_of_two_folds_is_one_speaker() -> None:
    one_voice = np.where(SPEAKER == "bob", "ann", SPEAKER)
    merged = speaker_counts(LOGITS, TESTED, one_voice, PROTOCOL, LAYOUT)
    for arm, counts in COUNTS.items():
        np.testing.assert_array_equal(merged[arm], counts.sum(1, keepdims=True))


def test_mean_is_over_folds_then_seeds_and_pooled_is_over_utterances() -> None:
    found = summarise(REPLICAS, COUNTS)["source_only"]
    by_seed = [(0.75 + 0.5) / 2, (0.5 + 0.0) / 2]
    assert found["ua"]["mean"] == pytest.approx(np.mean(by_seed))
    assert found["ua"]["std"] == pytest.approx(abs(by_seed[0] - by_seed[1]) / 2**0.5)
    # Seed 10: 1 of 3 anger, 2 of 2 joy; seed 11: 0 of 3 and 1 of 2.
    assert found["ua"]["pooled"] == pytest.approx((4 / 6 + 1 / 4) / 2)
    assert found["wa"]["pooled"] == pytest.approx((3 / 5 + 1 / 5) / 2)
    low, high = found["wa"]["ci95"]
    assert low < found["wa"]["pooled"] < high


def test_one_seed_has_no_spread() -> None:
    one = [replica for replica in REPLICAS if replica["seed"] == 10]
    counts = {arm: table[:1] for arm, table in COUNTS.items()}
    found = summarise(one, counts)["source_only"]["ua"]
    assert found["std"] == 0.0 and found["mean"] == pytest.approx(0.625)


def test_every_arm_is_compared_with_the_first() -> None:
    third = {**COUNTS, "same": COUNTS["source_only"]}
    found = comparisons(
        third, trainings={**TRAININGS, "same": TRAININGS["source_only"]}
    )
    assert [(c["arm"], c["against"], c["metric"]) for c in found] == [
        ("dann", "source_only", "wa"),
        ("dann", "source_only", "ua"),
        ("same", "source_only", "wa"),
        ("same", "source_only", "ua"),
    ]
    assert found[0]["difference"] == pytest.approx(9 / 10 - 4 / 10)
    assert [c["difference"] for c in found[2:]] == [0.0, 0.0]
    # The arm that is the same is the other half of each family of two.
    assert [c["p_corrected"] for c in found] == [1.0, 1.0, 1.0, 1.0]
    assert found[2]["verdict"] == "no difference shown"
    assert found[2]["sentence"].startswith("same and source_only: no difference shown")
    assert found[2]["seeds_needed"] is None and np.isnan(found[2]["effect_size"])
    assert found[0]["seeds_needed"] >= 1
    assert comparisons({"source_only": COUNTS["source_only"]}, trainings={}) == []


def test_counts_of_trainings_are_those_of_their_speakers() -> None:
    # Each fold tests one speaker.
    for arm, counts in COUNTS.items():
        np.testing.assert_array_equal(TRAININGS[arm], counts)


def test_p_swaps_folds_and_the_table_says_how_small_it_can_be() -> None:
    found = results()
    assert [entry["p_value"] for entry in found["comparisons"]] == [0.5, 0.5]
    assert (
        "permutation test over folds; with 2 folds the smallest possible value is 0.5"
        in (result_table(found))
    )
    for replica in found["replicas"]:
        replica["fold"] = "all"
    assert "over seeds; with 2 seeds" in result_table(found)
    for replica in found["replicas"]:
        replica["seed"] = 0
    assert "single training gives no p" in result_table(found)


def test_results_survive_json() -> None:
    found = strict(results())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_table_says_whether_test_rows_were_seen() -> None:
    seen = results()
    assert "transductive" in result_table(seen)
    assert "inductive" not in result_table(seen)
    unseen = copy.deepcopy(seen)
    unseen["protocol"]["transductive"] = False
    assert "inductive" in result_table(unseen)
    assert "transductive" not in result_table(unseen)


def test_the_table_names_every_allowed_leak_and_no_other() -> None:
    clean, leaky = results(), results()
    leaky["protocol"]["allowed_leaks"] = ["speaker", "session"]
    assert "LEAK ALLOWED" not in result_table(clean)
    assert "LEAK ALLOWED: train and test share speaker, session" in result_table(leaky)


@pytest.mark.parametrize(
    ("ci95", "verdict"),
    [
        ([-0.01, 0.2], "no difference shown"),
        ([0.0, 0.2], "no difference shown"),
        ([-0.2, 0.0], "no difference shown"),
        ([float("nan"), float("nan")], "no difference shown"),
        ([0.01, 0.2], "better"),
        ([-0.2, -0.01], "worse"),
    ],
)
def test_a_difference_is_shown_only_where_the_interval_excludes_zero(
    ci95: list[float], verdict: str
) -> None:
    found = results()
    one = {**found["comparisons"][1], "ci95": ci95}
    found["comparisons"] = [{**one, "p_value": 0.05, "p_corrected": 0.05}]
    cells = row_of(result_table(found), "dann - source_only", "UA")
    assert cells[-1] == verdict and cells[-2] == "0.050"
    found["comparisons"] = [{**one, "p_value": 0.062, "p_corrected": 0.062}]
    cells = row_of(result_table(found), "dann - source_only", "UA")
    hint = "" if verdict == "no difference shown" else " (hint only)"
    assert cells[-1] == verdict + hint and cells[-2] == "0.062"


def test_the_table_shows_the_numbers_of_the_results() -> None:
    found = results()
    table = result_table(found)
    assert table.startswith("toy system on toy, leave-one-out (2 folds; 2 seeds; ")
    summary = found["summary"]["source_only"]
    low, high = (100 * bound for bound in summary["ua"]["ci95"])
    cells = row_of(table, "source_only")
    assert cells[3:5] == ["43.75 ± 26.52", f"45.83 [{low:.2f}, {high:.2f}]"]
    assert cells[-1] == "75.00 (50.00)"
    # WA and UA of both arms, each averaged over the seeds.
    assert row_of(table, "fold bob")[1:] == ["25.00", "25.00", "75.00", "75.00"]
    assert row_of(table, "dann - source_only", "WA")[2] == "+50.00"


def test_a_single_fold_and_a_single_arm_have_no_table_of_their_own() -> None:
    found = results()
    found["replicas"] = [
        r
        for r in found["replicas"]
        if (r["fold"], r["arm"]) == ("fold ann", "source_only")
    ]
    found["summary"] = {"source_only": found["summary"]["source_only"]}
    found["comparisons"] = []
    table = result_table(found)
    assert "paired difference" not in table and "| fold" not in table
    assert row_of(table, "source_only")


def test_seeds_predict_together_by_their_mean_probability() -> None:
    # Of Ann's three rows dann errs once with each seed, and is surer where it is right.
    logits, size = np.zeros((4, 2, len(TESTED), 2), np.float32), len(TESTED)
    right = np.eye(2)[PROTOCOL.label[TESTED]]
    logits[:, :] = 4 * right
    logits[0, 1, 0], logits[1, 1, 1] = 1 - right[0], 1 - right[1]
    logits[:, 0] = np.eye(2)[np.zeros(size, int)]
    averaged = averaged_scores(logits, TESTED, SPEAKER, PROTOCOL, LAYOUT)["averaged"]
    alone = summarise(
        replica_scores(logits, TESTED, PROTOCOL, LAYOUT),
        speaker_counts(logits, TESTED, SPEAKER, PROTOCOL, LAYOUT),
    )
    assert alone["dann"]["wa"]["pooled"] == 0.8
    assert averaged["seeds"] == 2
    assert averaged["summary"]["dann"]["wa"]["pooled"] == 1.0
    same = averaged["summary"]["source_only"]["ua"]["pooled"]
    assert same == alone["source_only"]["ua"]["pooled"] == 0.5
    gains = {e["metric"]: e["difference"] for e in averaged["comparisons"]}
    assert gains == {"wa": pytest.approx(0.4), "ua": pytest.approx(0.5)}
    table = result_table({**results(), "averaged": averaged})
    assert row_of(table, "dann", "100.00 [100.00, 100.00]")[2].startswith("+40.00")


def test_one_seed_is_not_averaged() -> None:
    layout = ReplicaLayout(LAYOUT.folds, [10], LAYOUT.arms, make_mesh(1))
    assert averaged_scores(LOGITS[::2], TESTED, SPEAKER, PROTOCOL, layout) == {}
