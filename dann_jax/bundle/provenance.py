"""Check that features are those a model was trained on, and compute them again."""

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


def difference(expected: Modality, given: Modality) -> str | None:
    """Why features differ from those of the training; None where they do not."""
    if given[:2] != expected[:2]:
        return f"expected {expected.shape()}, found {given.shape()}"
    return mismatch(expected.provenance, given.provenance)


def require_features(description: Description, corpus: Corpus) -> None:
    """Raise `BundleError` unless a corpus has the features of the training."""
    modalities = modalities_of(corpus)
    for name, expected in description.modalities.items():
        if name not in modalities:
            raise BundleError(
                f"the model takes {', '.join(description.modalities)}; "
                f"corpus {corpus.name!r} has {', '.join(modalities)}"
            )
        reason = difference(expected, modalities[name])
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
    """The extractors that compute the features of a bundle from audio.

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
    """The extractor that computes the features of a bundle from audio.

    Args:
      name: of the modality, for messages.
      modality: of the bundle's description.
      encoder: folder of the pretrained encoder, where features are made by one.

    Raises:
      BundleError: how they were made is unknown, they are made from text, or they
        are made otherwise by what is installed here.
    """
    provenance = modality.provenance
    if provenance is None:
        raise BundleError(
            f"it is unknown how the features {name!r} were made, so they cannot be "
            f"made again from audio; use Bundle.predict_corpus with features"
        )
    if provenance.get("sample_rate", 0) is None:
        raise BundleError(
            f"the features {name!r} are made from a transcript, not from audio; "
            f"use Bundle.predict_corpus with features"
        )
    place = {"folder": encoder} if encoder and _is_pretrained(modality) else {}
    try:
        extractor = extractor_from(provenance, **place)
    except ValueError as error:
        hint = (
            "; dann-predict --encoder=DIR, or load_bundle(..., encoder=DIR), names the "
            "folder of the encoder"
        )
        raise BundleError(
            f"the features {name!r} cannot be made here: {error}"
            f"{hint if _is_pretrained(modality) else ''}"
        ) from None
    reason = mismatch(provenance, extractor.provenance())
    if reason:
        raise BundleError(f"the features {name!r} are made otherwise here: {reason}")
    return extractor
