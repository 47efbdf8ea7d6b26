"""The words that name encoders of utterances."""

from dann_jax.models.fusion import AttentionFusion

UTTERANCE_ENCODERS = {"attention": AttentionFusion}
"""The word in a config -> a module such as `AttentionFusion`.

It has the attributes `width`, `dropout` and `dtype`, and perhaps others, and the call
`(inputs, present, *, deterministic) -> [B, T, any width]` of vectors of every modality,
`modality -> [B, T, dim]`, and of masks, `modality -> [B, T]`. What the array of an
absent modality holds makes no difference.
"""
