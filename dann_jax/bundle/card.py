"""The model card: what a bundle is for, how it was measured, and its limits.

Reference: Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from dann_jax.bundle.calibration import calibration_words
from dann_jax.bundle.card_features import maker_words
from dann_jax.bundle.card_scores import measured_words
from dann_jax.bundle.description import Description
from dann_jax.evaluation.unsupervised import described_choice
from dann_jax.tasks.oracle import leak_notes
from dann_jax.utils.text import markdown_text

_LIMITS = """\
- It predicts how raters of this corpus would label a recording. What a person feels is
  another matter: acted and posed speech, other languages, other rooms and microphones,
  and people unlike those of the corpus can all lead to wrong predictions.
- {answer}
- Hiding a domain from the features makes them less telling of it, not free of it."""

_ANSWERS = {
    "classes": """\
{calibration}. Every recording gets one of its classes, speech or not, unless unsure
  ones are rejected (dann-predict --reject).""",
    "values": """\
Its values are means of what raters might answer, without a measure of uncertainty;
  every recording gets them, speech or not.""",
    "features": """\
Its features are no proof of who speaks; any two recordings get a score, speech or
  not.""",
}

_MISUSE = """\
Emotion recognition must not decide, or help to decide, about people: hiring, pay and
work, schooling and exams, credit and insurance, policing, borders and courts, health
care without a clinician. It is no lie detector. Do not run it on people who do not know
of it or cannot refuse. In the European Union inferring emotions at work and in schools
is prohibited but for medical and safety reasons (Regulation (EU) 2024/1689, Article
5(1)(f))."""


def model_card(description: Description) -> str:
    """A model card in Markdown.

    Args:
      description: of the bundle.
    """
    description = _escaped(description)
    sections = {
        "Inputs and outputs": _use(description),
        "Data": _data(description),
        "How it was trained and tested": _protocol(description),
        "Measured": measured_words(description),
        "Limits": _limits(description),
        "Not to be used for": _MISUSE,
    }
    parts = [f"# Model card: {description.system}"]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def _escaped(description: Description) -> Description:
    """The same description, with Markdown characters in names escaped.

    Names come from corpora and configs of anybody, and a card is often shown as HTML.
    """

    def escape(value: Any) -> Any:
        if isinstance(value, str):
            return markdown_text(value)
        if isinstance(value, Mapping):
            return {escape(key): escape(part) for key, part in value.items()}
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(escape(part) for part in value)
        return value

    names = ("system", "labels", "adversaries", "members", "corpora", "licence")
    names += ("standardised_by", "speaker_statistics", "measured", "protocol")
    changes = {name: escape(getattr(description, name)) for name in names}
    modalities = {
        escape(name): modality._replace(provenance=escape(modality.provenance))
        for name, modality in description.modalities.items()
    }
    return dataclasses.replace(description, **changes, modalities=modalities)


def _use(description: Description) -> str:
    features = [
        f"- {name}: {modality.shape()}, {maker_words(modality.provenance)}"
        for name, modality in description.modalities.items()
    ]
    names = ", ".join(description.labels)
    texts = {
        "classes": f"Classes: {names}.",
        "values": f"Values, in the unit of their ratings: {names}.",
        "features": f"It learned from {len(description.labels)} speakers and is for "
        f"others: features of two recordings are compared, and no class is named.",
    }
    text = texts[description.answer]
    if description.max_frames:
        text += f" Of longer utterances the middle {description.max_frames} frames."
    return "\n".join([f"{text} Features:\n", *features])


def _data(description: Description) -> str:
    lines = [f"Learned from: {', '.join(description.corpora)}."]
    if description.standardised_by:
        lines.append(
            f"Features are standardised within each {description.standardised_by}, "
            f"with all of its recordings at once."
        )
    if how := description.speaker_statistics:
        lines.append(
            f"Features are standardised by each {how['column']} ({how['kind']}), with "
            f"all recordings of a tested one at once. Of people who are not enrolled "
            f"(`dann-predict --enrol`) the training speakers' statistics stand in."
        )
    if count := description.nuisance_directions:
        lines.append(
            f"Of the features, {count} directions in which training speakers differ "
            f"within a class are removed."
        )
    lines.append(
        f"Licence of the data: {description.licence}."
        if description.licence
        else "The licence of the data is unknown here: ask its provider before this "
        "model leaves your hands."
    )
    return "\n".join(lines)


def _protocol(description: Description) -> str:
    protocol = description.protocol
    lines = [
        f"- Protocol: {protocol['name']}, "
        + (
            "transductive: test rows were seen in training without their labels."
            if protocol["transductive"]
            else "inductive: test rows were not seen in training."
        ),
        f"- Selection of the step to keep: {described_choice(protocol['selection'])}.",
        f"- Arm: {description.measured['arm']}{_chosen_from(description)}; "
        f"adversaries: {', '.join(description.adversaries) or 'none'}.",
        "- Members: "
        + "; ".join(
            f"{member['fold']} (seed {member['seed']}, step {member['step']})"
            for member in description.members
        )
        + ".",
    ]
    lines += [
        f"- **{note}**: the scores do not speak for unseen ones."
        for note in leak_notes(protocol["allowed_leaks"])
    ]
    return "\n".join(lines)


def _chosen_from(description: Description) -> str:
    """Where a choice recommended the model: which of its candidates it is."""
    choice = description.measured.get("choice")
    if not choice:
        return ""
    return (
        f" of the setting {choice['setting']}, which a choice among "
        f"{choice['candidates']} candidates recommends"
    )


def _limits(description: Description) -> str:
    answer = _ANSWERS[description.answer].format(
        calibration=calibration_words(description)
    )
    limits = _LIMITS.format(answer=answer)
    if not description.encoder.get("context", True):
        return limits
    return (
        f"{limits}\n- It was trained on utterances within their dialogue; single "
        f"recordings and windows are\n  predicted as dialogues of one turn, which it "
        f"has not been tested on."
    )
