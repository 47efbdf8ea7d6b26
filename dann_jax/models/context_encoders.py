"""The words that name encoders of context."""

from dann_jax.models.context import DialogueContext

CONTEXT_ENCODERS = {"gru_attention": DialogueContext}
"""The word in a config -> a module such as `DialogueContext`.

It has the attributes of `DialogueContext` and its call, `(x [B, T, D], visible [B, T],
party [B, T], *, deterministic) -> [B, T, any width]`. What an invisible turn holds
makes no difference to the outputs of visible ones.
"""
