"""Corpora: reading them, their features, and their prepared stores."""

from etils import epy

with epy.lazy_api_imports(globals()):
    from dann_jax.data.open import open_corpus as open_corpus
