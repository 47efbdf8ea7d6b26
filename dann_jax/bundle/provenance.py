"""Features for a model: whether they are its own, and how to make them again."""

from collections.abc import Mapping

from etils import epath

from dann_jax.bundle.description import (
    BundleError,
    Description,
    Modality,
    modalities_of,
)
from dann_jax.data.corpus import Corpus
from dann_jax.data.features.catalogue import extractor_from
from dann_jax.data.features.extractor import Extractor, mismatch
from dann_jax.data.features.pretrained import PRETRAINED


def difference(expected: Modality, found: Modality) -> str | None:
    """Why features are not those that were learned from; None where they are."""
    if found[:2] != expected[:2]:
        return f"expected {expected.shape()}, found {found.shape()}"
    return mismatch(expected.provenance, found.provenance)


def require_features(description: Description, corpus: Corpus) -> None:
    """Raise `BundleError` unless a corpus has what a model learned from."""
    found = modalities_of(corpus)
    for name, expected in description.modalities.items():
        if name not in found:
            raise BundleError(
                f"the model hears {', '.join(description.modalities)}; "
                f"corpus {corpus.name!r} has {', '.join(found)}"
            )
        reason = difference(expected, found[name])
        if reason:
            raise BundleError(
                f"{name!r} of corpus {corpus.name!r} is not what the model learned "
                f"from: {reason}"
            )
    ours, theirs = description.standardised_by, corpus.provenance.get("standardised_by")
    if ours != theirs:
        raise BundleError(
            f"the model learned from features standardised by {ours!r}; those of "
            f"corpus {corpus.name!r} are standardised by {theirs!r}"
        )


def extractors_of(
    modalities: Mapping[str, Modality], encoder: epath.PathLike | None = None
) -> dict[str, Extractor]:
    """What makes the features of a bundle from sound, for each modality.

    Args:
      modalities: of the bundle's description.
      encoder: folder of the pretrained encoder, where one is needed.

    Raises:
      BundleError: see `extractor_of`; or there is an encoder, and none is needed.
    """
    if encoder and not any(map(_is_pretrained, modalities.values())):
        raise BundleError(
            f"the model takes {', '.join(modalities)}, which need no encoder; leave "
            f"--encoder out"
        )
    return {
        name: extractor_of(name, modality, encoder)
        for name, modality in modalities.items()
    }


def _is_pretrained(modality: Modality) -> bool:
    return (modality.provenance or {}).get("extractor") == PRETRAINED


def extractor_of(
    name: str, modality: Modality, encoder: epath.PathLike | None = None
) -> Extractor:
    """What makes the features of a bundle from sound, or why nothing can.

    Args:
      name: of the modality, for messages.
      modality: of the bundle's description.
      encoder: folder of the pretrained encoder, where features are made by one.

    Raises:
      BundleError: nobody recorded how they were made, they are made of text, or they
        are made otherwise by what is installed here.
    """
    made = modality.provenance
    if made is None:
        raise BundleError(
            f"nobody recorded how the features {name!r} were made, so they cannot be "
            f"made again from audio; use Bundle.predict_corpus with features"
        )
    if made.get("sample_rate", 0) is None:
        raise BundleError(
            f"the features {name!r} are made from a transcript, not from audio; "
            f"use Bundle.predict_corpus with features"
        )
    place = {"folder": encoder} if encoder and _is_pretrained(modality) else {}
    try:
        extractor = extractor_from(made, **place)
    except ValueError as error:
        hint = (
            "; dann-predict --encoder=DIR, or load_bundle(..., encoder=DIR), names the "
            "folder of the encoder"
        )
        raise BundleError(
            f"the features {name!r} cannot be made here: {error}"
            f"{hint if _is_pretrained(modality) else ''}"
        ) from None
    reason = mismatch(made, extractor.provenance())
    if reason:
        raise BundleError(f"the features {name!r} are made otherwise here: {reason}")
    return extractor
