"""The eGeMAPSv02 functionals of openSMILE, through its own package."""

import functools
import logging
from typing import Any

import numpy as np

from dann_jax.data.features.extractor import Extractor

LICENCE = (
    "openSMILE comes under the audEERING research licence, for non-commercial use: "
    "features and models made with it may not go into a product without a licence from "
    "audEERING"
)


FEATURE_SET = "eGeMAPSv02"


def egemaps(*, sample_rate: int = 16000, feature_set: str = FEATURE_SET) -> Extractor:
    """The 88 functionals of eGeMAPSv02, float32 `[88]`, with openSMILE's names.

    Making this extractor imports `opensmile`, which knows the names, and logs its
    licence once a process.

    Args:
      sample_rate: in Hz.
      feature_set: `eGeMAPSv02`; others are not offered.

    openSMILE's library aborts the process, without an error, where some others, such
    as PyTorch's, were loaded before it: compute in a process of its own, as
    `dann-prepare` does.

    Returns:
      The extractor; its `compute` raises `ValueError` for less than about 0.1 s.

    Raises:
      ValueError: another feature set is requested.
      ModuleNotFoundError: `opensmile` is not installed.

    Reference:
      Eyben et al., IEEE Trans. Affective Computing 7(2), 2016; Eyben, Wöllmer and
      Schuller, ACM Multimedia, 2010, for openSMILE.
    """
    if feature_set != FEATURE_SET:
        raise ValueError(
            f"egemaps computes the feature set {FEATURE_SET}, not {feature_set!r}"
        )
    names = tuple(_smile().feature_names)

    def compute(samples: np.ndarray) -> np.ndarray:
        values = _process(np.asarray(samples, np.float32), sample_rate)
        if not np.isfinite(values).all():
            raise ValueError(
                f"openSMILE cannot describe {len(samples) / sample_rate:.3f} s of "
                "sound; it needs about 0.1 s"
            )
        return values

    return Extractor(
        name="egemaps",
        version=1,
        parameters={"feature_set": feature_set},
        dim=len(names),
        framewise=False,
        compute=compute,
        sample_rate=sample_rate,
        names=names,
        packages=("opensmile", "soundfile", "soxr"),
    )


def _process(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    import warnings

    with warnings.catch_warnings():
        # It warns of what is too short and fills in NaN, which becomes an error.
        warnings.simplefilter("ignore", UserWarning)
        frame = _smile().process_signal(samples, sample_rate)
    return frame.to_numpy(np.float32)[0]


@functools.lru_cache
def _smile() -> Any:
    """The one processor of this process."""
    try:
        import opensmile
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "egemaps needs the package opensmile: pip install 'dann_jax[egemaps]'"
        ) from None
    logging.getLogger(__name__).warning(LICENCE)
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
