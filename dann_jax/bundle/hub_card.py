"""The front matter of a model card, as the Hugging Face hub reads it.

Reference: https://huggingface.co/docs/hub/model-cards, and its specification,
https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from dann_jax.bundle.description import Description
from dann_jax.utils.text import one_line

_METRICS = {"ua": ("recall", "UA"), "wa": ("accuracy", "WA"), "macro_f1": ("f1", "F1")}
"""A metric of ours -> the hub's word for it, and its name for people."""

_LICENCES = re.compile(
    r"mit|apache-2\.0|bsd-[23]-clause|cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.0|odc-by|"
    r"odbl|gpl-3\.0|lgpl-3\.0|agpl-3\.0"
)
"""Words of the hub for licences; any other licence is `other`, with its name."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_ON_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def front_matter(description: Description) -> str:
    """What stands between two lines of dashes at the head of a card, and these.

    Args:
      description: of the bundle.
    """
    fields: dict[str, Any] = {
        **_licence(description.licence),
        "library_name": "dann_jax",
        "pipeline_tag": _task(description),
        "tags": [
            *("speech-emotion-recognition", "domain-adversarial", "jax", "flax"),
            *map(one_line, description.corpora),
        ],
    }
    languages = [*description.measured.get("groups", {}).get("language", {})]
    if languages and all(map(_LANGUAGE.fullmatch, languages)):
        fields["language"] = languages
    if bases := _base_models(description):
        fields["base_model"] = bases
    scores = description.measured["scores"]
    # Of who was adapted to nothing is measured: the scores are of other models.
    if scores and "target" not in description.protocol:
        fields["metrics"] = [_METRICS.get(name, (name,))[0] for name in scores]
        fields["model-index"] = [_results(description, scores)]
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=88)
    return f"---\n{text}---\n"


def _task(description: Description) -> str:
    """The hub's word for what the model is for."""
    embeds = description.answer == "features"
    return "feature-extraction" if embeds else "audio-classification"


def _licence(licence: str | None) -> dict[str, str]:
    """The licence of the data that a model learned from is taken for the model's."""
    if licence is None:
        return {"license": "unknown"}
    word = licence.strip().lower().replace(" ", "-")
    if _LICENCES.fullmatch(word):
        return {"license": word}
    return {"license": "other", "license_name": one_line(licence)}


def _base_models(description: Description) -> list[str]:
    """Pretrained encoders of the features that have a name on the hub."""
    about = [
        (modality.provenance or {}).get("about", {})
        for modality in description.modalities.values()
    ]
    names = [one.get("model", "") for one in about if isinstance(one, Mapping)]
    return [name for name in names if _ON_HUB.fullmatch(str(name))]


def _results(
    description: Description, scores: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Scores of tested rows, by models that did not learn their labels."""
    protocol = description.protocol
    split = [protocol["name"]]
    if protocol["transductive"]:
        split.append("tested rows seen in training without labels")
    if protocol["allowed_leaks"]:
        split.append(f"leaks allowed: {', '.join(protocol['allowed_leaks'])}")
    if len(description.members) > 1:
        split.append("mean over the models of the folds, not their ensemble")
    corpora = one_line(", ".join(description.corpora))
    return {
        "name": one_line(description.system),
        "results": [
            {
                "task": {
                    "type": _task(description),
                    "name": "Speech emotion recognition",
                },
                "dataset": {
                    "name": corpora,
                    "type": re.sub(r"[^\w.-]+", "-", corpora.lower()),
                    "split": "; ".join(split),
                },
                "metrics": [
                    {
                        "type": _METRICS.get(name, (name,))[0],
                        "name": _METRICS.get(name, ("", name))[1],
                        "value": round(float(score["mean"]), 4),
                    }
                    for name, score in scores.items()
                ],
            }
        ],
    }
