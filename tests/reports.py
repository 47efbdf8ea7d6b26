"""Made-up finished runs, as a work directory holds them."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.metrics import classification_scores

LABELS = ("anger", "happiness", "neutral", "sadness")
RUDE = "</script ><b onclick=\"x()\">Ann & 'Bob'</b>_$%"
"""A name that HTML, JSON, LaTeX or Markdown could take for more than a name."""


def made_up_results(
    arms: Sequence[str] = ("source_only", "dann"),
    folds: Sequence[str] = ("fold ann", "fold bob"),
    seeds: int = 2,
    *,
    gain: float = 0.05,
    spread: float = 0.02,
    leaks: Sequence[str] = (),
) -> dict[str, Any]:
    """Results in which every arm beats the first by `gain`, more or less `spread`."""
    random = np.random.default_rng(0)
    replicas = []
    for fold in folds:
        for seed in range(seeds):
            for index, arm in enumerate(arms):
                truth = random.integers(0, len(LABELS), 80)
                wrong = random.random(80) > 0.6 + (gain if index else 0.0)
                guess = np.where(wrong, random.integers(0, len(LABELS), 80), truth)
                replicas.append(
                    {
                        "fold": fold,
                        "seed": seed,
                        "arm": arm,
                        "n_test": 80,
                        **classification_scores(truth, guess, len(LABELS)),
                        "selected_step": 40,
                        "domain_probe": {"accuracy": 0.5 - 0.1 * index, "chance": 0.1},
                    }
                )
    summary = {arm: {} for arm in arms}
    for arm in arms:
        for metric in ("wa", "ua", "macro_f1"):
            mean = float(np.mean([r[metric] for r in replicas if r["arm"] == arm]))
            summary[arm][metric] = {
                "mean": mean,
                "std": 0.01,
                "pooled": mean,
                "ci95": [mean - 0.04, mean + 0.04],
            }
    comparisons = [
        {
            "arm": arm,
            "against": arms[0],
            "metric": metric,
            "difference": gain,
            "ci95": [gain - spread, gain + spread],
            "p_value": 0.02,
        }
        for arm in arms[1:]
        for metric in ("wa", "ua")
    ]
    return {
        "system": "toy",
        "corpora": ["toys"],
        "protocol": {
            "name": "leave-one-session-out",
            "transductive": True,
            "selection": "last",
            "allowed_leaks": list(leaks),
        },
        "labels": list(LABELS),
        "replicas": replicas,
        "summary": summary,
        "comparisons": comparisons,
        "timing": {"compile_s": 3.0, "train_s": 70.5, "utterances_per_s": 12345.6},
    }


def made_up_epochs(
    arms: Sequence[str] = ("source_only", "dann"),
    num_epochs: int = 12,
    adversary: str = "speaker",
) -> list[dict[str, float]]:
    """Lines of `metrics.jsonl`."""
    lines = []
    for epoch in range(1, num_epochs + 1):
        done = epoch / num_epochs
        line: dict[str, float] = {"step": 10 * epoch, "epoch": epoch}
        for index, arm in enumerate(arms):
            values = {
                "loss/label": 1.4 - done + 0.1 * index,
                "accuracy/label": 0.3 + 0.6 * done,
                f"loss/{adversary}": 2.3 - 0.5 * done / (1 + index),
                f"accuracy/{adversary}": 0.1 + 0.3 * done / (1 + index),
                f"strength/{adversary}": 0.1 * index * done,
                "gradient/label": 1.0 - 0.5 * done,
                f"gradient/{adversary}": 0.2 * index * done,
                f"cosine/{adversary}": -0.3 * index * done,
                "validation/ua": 0.4 + 0.2 * done,
            }
            for name, value in values.items():
                line[f"{arm}/{name}"] = value
                line[f"{arm}/{name}/std"] = 0.05 * done
        lines.append(line)
    return lines


def made_up_analysis(
    arms: Sequence[str] = ("source_only", "dann"),
    num_speakers: int = 10,
    num_rows: int = 60,
    adversary: str = "speaker",
) -> dict[str, Any]:
    """All that an analysis can hold."""
    random = np.random.default_rng(1)
    speakers = [f"speaker {i:02}" for i in range(num_speakers - 1)] + [RUDE]
    emotion = random.integers(0, len(LABELS), num_rows)
    speaker = random.integers(0, num_speakers, num_rows)
    corpus = np.where(speaker % 2, "toys", "dolls")

    def scores(index: int) -> dict[str, float]:
        wa, ua = 0.55 + 0.05 * index + 0.2 * random.random(2)
        return {"wa": float(wa), "ua": float(ua)}

    def cloud(pull: float) -> list[list[float]]:
        centre = np.stack([np.cos(1.5 * emotion), np.sin(1.5 * emotion)], 1)
        noise = random.normal(size=(num_rows, 2))
        return np.round(pull * centre + 0.4 * noise, 4).tolist()

    return {
        "domains": {adversary: {"chance": 0.1, "guess_loss": 2.3, "num_domains": 10}},
        "probes": [
            {
                "arm": arm,
                "place": place,
                "column": column,
                "probe": probe,
                "grouped_by": None if column == "speaker" else "speaker",
                "accuracy": 0.7 - 0.15 * depth - 0.1 * index * (column == "speaker"),
                "std": 0.02,
                "chance": 0.14,
                "chance_p95": 0.17,
                "rows": num_rows,
                "replicas": 4,
            }
            for index, arm in enumerate(arms)
            for depth, place in enumerate(("input", "encoder", "head"))
            for column in ("speaker", "gender", "emotion")
            for probe in ("logistic", "network")
        ],
        "a_distance": [
            {
                "arm": arm,
                "adversary": adversary,
                "value": 1.2 - 0.3 * index,
                "std": 0.1,
                "between": "labelled and test rows",
            }
            for index, arm in enumerate(arms)
        ],
        "diagnoses": {
            arms[-1]: {"weak_discriminator": "The discriminator is too weak."}
        },
        "speakers": [
            {
                "speaker": name,
                "gender": "female" if i % 2 else "male",
                "language": None,
                "corpus": "toys",
                "rows": 20 + i,
                "scores": {arm: scores(index) for index, arm in enumerate(arms)},
            }
            for i, name in enumerate(speakers)
        ],
        "groups": [
            {
                "column": "gender",
                "value": value,
                "rows": 100,
                "speakers": num_speakers // 2,
                "scores": {arm: scores(index) for index, arm in enumerate(arms)},
            }
            for value in ("female", "male")
        ],
        "classes": {
            arm: [0.5 + 0.1 * index, 0.6, 0.7, 0.65] for index, arm in enumerate(arms)
        },
        "confusion": {
            arm: random.integers(0, 40, (4, 4)).astype(float).tolist() for arm in arms
        },
        "maps": {
            "rows": {
                "utt_id": [f"utterance {i}" for i in range(num_rows)],
                "emotion": [LABELS[i] for i in emotion],
                "speaker": [speakers[i] for i in speaker],
                "corpus": corpus.tolist(),
            },
            "fold": "fold ann",
            "seed": 0,
            "points": {
                arm: {
                    place: {"pca": cloud(pull), "tsne": cloud(2 * pull)}
                    for place, pull in (("input", 0.3), ("encoder", 1.0), ("head", 2.0))
                }
                for arm in arms
            },
        },
        "selection": [
            {
                "arm": arm,
                "criterion": criterion,
                "value": 0.5,
                "ua": 0.61 + 0.01 * index,
                "wa": 0.62,
            }
            for arm in arms
            for index, criterion in enumerate(("last", "entropy", "oracle"))
        ],
        "data": {
            "corpus": "toys",
            "rows": 160,
            "speakers": num_speakers,
            "labels": {"anger": 40, "happiness": 50, "neutral": 40, "sadness": 30},
            "roles": {
                fold: {"labelled": 80, "test": 80} for fold in ("fold ann", "fold bob")
            },
            "provenance": {"features": {"acoustic": {"extractor": "functionals"}}},
        },
    }


def write_run(
    folder: pathlib.Path,
    results: Mapping[str, Any] | None = None,
    epochs: Sequence[Mapping[str, float]] | None = None,
    analysis: Mapping[str, Any] | None = None,
) -> pathlib.Path:
    """Write a work directory; without `epochs` or `analysis` as an old run left it."""
    folder.mkdir(parents=True)
    results = made_up_results() if results is None else results
    (folder / "results.json").write_text(json.dumps(results))
    environment = {
        "python": "3.11.7",
        "packages": {"jax": "0.10.2"},
        "devices": ["cpu"],
        "command": ["/bin/dann-train", "--config=configs/toy.py", "--config.name=a b"],
        "git_commit": "0123456789abcdef",
    }
    (folder / "environment.json").write_text(json.dumps(environment))
    config = {"system": "toy", "optimizer": {"name": "adam", "clip_norm": 0.0}}
    (folder / "config.json").write_text(json.dumps(config))
    if epochs is not None:
        lines = "".join(json.dumps(line) + "\n" for line in epochs)
        (folder / "metrics.jsonl").write_text(lines)
    if analysis is not None:
        (folder / "analysis.json").write_text(json.dumps(analysis))
    return folder
