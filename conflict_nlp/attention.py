"""Fused attention for encoders that transformers gives none."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.mpnet.modeling_mpnet import MPNetSelfAttention


class FusedMPNetSelfAttention(MPNetSelfAttention):
    """MPNet's attention by ``scaled_dot_product_attention``, with the relative position bias as a part of the mask."""

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        output_attentions: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, ...]:
        """States [B, T, H] -> states [B, T, H]; attention probabilities are asked of the plain implementation."""
        if output_attentions:
            return super().forward(hidden_states, attention_mask, position_bias, output_attentions, **kwargs)  # type: ignore[no-any-return,no-untyped-call]
        batch, length, _ = hidden_states.shape
        query, key, value = (layer(hidden_states).view(batch, length, self.num_attention_heads, -1).transpose(1, 2) for layer in (self.q, self.k, self.v))
        bias = attention_mask if position_bias is None else position_bias if attention_mask is None else position_bias + attention_mask
        dropout = self.dropout.p if self.training else 0.0
        context = scaled_dot_product_attention(query, key, value, None if bias is None else bias.to(query.dtype), dropout)
        return (self.o(context.transpose(1, 2).reshape(batch, length, -1)),)


def fuse(encoder: nn.Module) -> None:
    """Put the fused attention in the place of the plain one; weights and their names stay."""
    for module in encoder.modules():
        if type(module) is MPNetSelfAttention:
            module.__class__ = FusedMPNetSelfAttention


def plain(encoder: Any) -> None:
    """Put plain attention, of products and a softmax, in the place of any fused one."""
    for module in encoder.modules():
        if type(module) is FusedMPNetSelfAttention:
            module.__class__ = MPNetSelfAttention  # type: ignore[assignment]
    encoder.set_attn_implementation("eager")
