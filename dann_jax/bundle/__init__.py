"""What a trained model needs to predict, in one folder that can be copied elsewhere.

```
bundle.json        description.Description: labels, arguments, features, measurements
parameters.npz     float32 [members, ...], `encoder/...` and `label_head/...`
standardiser.npz   `mean/MODALITY` and `scale/MODALITY`, float32 [members, dim]
                   and what enrolling a person needs, where features are standardised
                   by person (`priors`); `directions/MODALITY`, where some are removed
MODEL_CARD.md      for people
```
"""

from dann_jax.bundle.description import BundleError, Description, Modality
from dann_jax.bundle.files import write_bundle
from dann_jax.bundle.loading import load_bundle
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.run import bundle_run
from dann_jax.evaluation.scorers.table import Prediction, Rating

__all__ = [
    "Bundle",
    "BundleError",
    "Description",
    "Modality",
    "Prediction",
    "Rating",
    "bundle_run",
    "load_bundle",
    "write_bundle",
]
