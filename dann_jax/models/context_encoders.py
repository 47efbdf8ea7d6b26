"""The words that name encoders of context."""

from dann_jax.models.context import DialogueContext

CONTEXT_ENCODERS = {"gru_attention": DialogueContext}
"""The word in a config -> a module `(x [B, T, D], visible [B, T], party [B, T],
deterministic=) -> [B, T, out]` to which invisible turns make no difference. Its
attributes are those of `DialogueContext`."""
