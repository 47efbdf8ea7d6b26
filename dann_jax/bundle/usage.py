"""How the bundle of a run is used, for the last line of a command."""

import shlex

from dann_jax.bundle.description import Description
from dann_jax.bundle.loading import read_description


def usage(workdir: str) -> str:
    """Where the bundle of a run is, and the command that predicts by it.

    Args:
      workdir: of a run that has ended.

    Raises:
      BundleError: there is no bundle in it.
    """
    description = read_description(workdir)
    text = f"model: {workdir.rstrip('/')}/bundle"
    if not hears(description):
        return text
    people = by = ""
    if description.speaker_statistics:
        people = " --speakers=folder"
        by = " (a folder a person, whose recordings standardise their features)"
    command = f"dann-predict --model={shlex.quote(workdir)}{people} RECORDINGS/"
    return f"{text}\npredict by it: {command} > emotions.csv{by}"


def hears(description: Description) -> bool:
    """Whether a model predicts something, and from sound alone.

    Args:
      description: of its bundle.
    """
    made = [modality.provenance or {} for modality in description.modalities.values()]
    from_sound = all(how.get("sample_rate") for how in made)
    whole_corpus = description.standardised_by
    return description.answer != "features" and from_sound and not whole_corpus
