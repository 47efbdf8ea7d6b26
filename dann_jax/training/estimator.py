"""The speaker-adversarial classifier as scikit-learn's estimator."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from dann_jax.tasks.domains import value_ids
from dann_jax.training.row_classifier import RowNetwork, row_outputs, train_rows
from dann_jax.types import UNKNOWN, Outputs
from dann_jax.utils.arguments import call_checked

_FLOATS = (np.float64, np.float32)
_NO_DOMAIN = ("", "None", "nan", "<NA>", "NaT")
"""How Python, NumPy and pandas write that there is none."""


class DANNClassifier(
    ClassNamePrefixFeaturesOutMixin, ClassifierMixin, TransformerMixin, BaseEstimator
):
    """A classifier whose features hide a domain, such as the speaker.

    Features and classes are trained on the labelled rows; the reversed gradients of a
    head that tells the domains apart take the domain out of the features. Unlabelled
    rows, such as those of the speakers to be tested, can take part in the latter.
    Inputs are standardised by the labelled rows. Defaults are those of `dann-train`.

    Attributes:
      strength: of the adversary, at least 0; it rises to it from 0 as `ganin_strength`.
        0 trains without one.
      width: of the features, and of the hidden layer of the head of the domains.
      dropout: rate before every layer.
      learning_rate: of Adam at the start; it falls to 0 as a cosine.
      weight_decay: decoupled, times the learning rate, of matrices.
      average_decay: of the moving average of the parameters, which is what is kept.
      epochs: how often training goes through all rows.
      batch_size: rows of a training step.
      random_state: of initial parameters, batches and dropout.
      classes_: the labels, sorted, `[classes]`.
      scaler_: the `StandardScaler` of the labelled rows.
      network_: `RowNetwork`; `network_.module()` is the linen module.
      params_: its parameters, NumPy arrays.

    Example:
      >>> rng = np.random.default_rng(0)
      >>> y, speaker = np.arange(60) % 2, np.arange(60) % 3
      >>> X = rng.normal(size=(60, 4)) + 3 * y[:, None] + speaker[:, None]
      >>> model = DANNClassifier(strength=0.3, random_state=0)
      >>> model.fit(X, y, domain=speaker).score(X, y) > 0.9
      True
      >>> model.transform(X).shape
      (60, 64)

    Reference:
      Ganin et al., JMLR 17 (2016), equation 9.
    """

    def __init__(
        self,
        strength: float = 0.3,
        *,
        width: int = 64,
        dropout: float = 0.3,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.1,
        average_decay: float = 0.98,
        epochs: int = 30,
        batch_size: int = 32,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.strength = strength
        self.width = width
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.average_decay = average_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        domain: ArrayLike | None = None,
        X_unlabelled: ArrayLike | None = None,
        domain_unlabelled: ArrayLike | None = None,
    ) -> Self:
        """Train on labelled rows, and the adversary on unlabelled ones too.

        Args:
          X: float `[n, dim]`.
          y: the labels, `[n]`.
          domain: text or numbers `[n]`, such as the speaker; the adversary does not see
            a row whose domain is empty, None or NaN. None for no adversary.
          X_unlabelled: float `[m, dim]`, rows whose domains are to be hidden as well.
          domain_unlabelled: theirs, `[m]`.

        Raises:
          ValueError: arrays do not fit together, there is one domain only, or a
            parameter is not what it may be.
          TrainingDiverged: a parameter of the network is not finite.
        """
        X, y = validate_data(self, X, y, dtype=_FLOATS)
        check_classification_targets(y)
        self.classes_, label = np.unique(y, return_inverse=True)
        unlabelled = self._unlabelled(X_unlabelled, domain, domain_unlabelled)
        ids, domains = _domain_ids(
            ("domain", domain, len(X)),
            ("domain_unlabelled", domain_unlabelled, len(unlabelled)),
        )
        options = self.get_params()
        self.network_ = call_checked(
            "",
            RowNetwork,
            len(self.classes_),
            # Of strength 0 it would learn, and change nothing but a last bit.
            domains if self.strength else 0,
            width=options.pop("width"),
            dropout=options.pop("dropout"),
        )
        self.scaler_ = StandardScaler().fit(X)
        random = check_random_state(options.pop("random_state"))
        self.params_ = call_checked(
            "",
            train_rows,
            self.network_,
            self.scaler_.transform(np.concatenate([X, unlabelled])),
            np.concatenate([label, np.full(len(unlabelled), UNKNOWN)]),
            ids,
            int(random.randint(2**31 - 1)),
            **options,
        )
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable label of each row, `[n]`; `X` is float `[n, dim]`."""
        likeliest = self._outputs(X).label_logits.argmax(-1)
        return self.classes_[likeliest]

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probabilities, float32 `[n, classes]`, as in `classes_`; `X` `[n, dim]`."""
        return softmax(self._outputs(X).label_logits, axis=-1)

    def transform(self, X: ArrayLike) -> np.ndarray:
        """What both heads see, float32 `[n, width]`; `X` is float `[n, dim]`."""
        return self._outputs(X).features

    @property
    def _n_features_out(self) -> int:
        return self.network_.width

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _outputs(self, X: ArrayLike) -> Outputs:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_FLOATS, reset=False)
        return row_outputs(self.network_, self.params_, self.scaler_.transform(X))

    def _unlabelled(self, X: Any, domain: Any, own: Any) -> np.ndarray:
        """The unlabelled rows, checked, `[m, dim]`; `[0, dim]` where there are none."""
        if (X is None) != (own is None) or (X is not None and domain is None):
            raise ValueError(
                "X_unlabelled serves the adversary alone: it needs domain_unlabelled, "
                "the domain of each of its rows, and domain"
            )
        if X is None:
            return np.empty((0, self.n_features_in_))
        try:
            return validate_data(self, X, dtype=_FLOATS, reset=False)
        except ValueError as error:
            message = " ".join(str(error).split())
            raise ValueError(f"X_unlabelled: {message}") from None


def _domain_ids(*columns: tuple[str, Any, int]) -> tuple[np.ndarray, int]:
    """Ids of the rows of all columns, `UNKNOWN` for none; and how many domains.

    Args:
      *columns: name, values (None for no domains) and number of rows.
    """
    given = []
    for name, values, rows in columns:
        values = column_or_1d(np.full(rows, "") if values is None else values)
        if len(values) != rows:
            raise ValueError(
                f"{name} has {len(values)} values for {rows} rows; each row needs one"
            )
        given.append(values)
    # Before they are text, so that 1 and 1.0 are one.
    values = np.concatenate(given).astype(str)
    names = np.setdiff1d(values, _NO_DOMAIN)
    if len(names) < 2 and columns[0][1] is not None:
        raise ValueError(
            f"domain has {len(names)} different values, of which an adversary needs "
            f"two or more; domain=None trains without one"
        )
    return value_ids(values, tuple(names.tolist())), len(names)
