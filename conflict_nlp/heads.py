"""The heads on the encoder's states: spans as wholes, and pairs of spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conflict_nlp.proposal import Candidates

if TYPE_CHECKING:
    from conflict_nlp.modeling import ConflictConfig

DISTANCE_BUCKETS = 12
WIDTH_BUCKETS = 16
CLUSTER_SIZE = 64


class ContextLayer(nn.TransformerEncoderLayer):
    """A transformer layer in which the candidates of a window see one another; unlike torch's own it can be traced, whatever the sizes."""

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:  # type: ignore[override]
        """States [B, S, D] -> states [B, S, D]; the candidates that are ``hidden`` [B, S] are not looked at."""
        x = x + self.dropout1(self._attended(self.norm1(x), hidden))
        x = x + self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(self.norm2(x))))))
        return x

    def _attended(self, x: Tensor, hidden: Tensor) -> Tensor:
        attention = self.self_attn
        batch, length, size = x.shape
        parts = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
        query, key, value = (part.view(batch, length, attention.num_heads, attention.head_dim).transpose(1, 2) for part in parts)
        dropout = attention.dropout if self.training else 0.0
        context = F.scaled_dot_product_attention(query, key, value, ~hidden[:, None, None, :], dropout)
        attended: Tensor = attention.out_proj(context.transpose(1, 2).reshape(batch, length, size))
        return attended


class SpanScorer(nn.Module):
    """Represents candidate spans, in the context of all candidates of the window."""

    def __init__(self, config: ConflictConfig, hidden: int, labels: int) -> None:
        super().__init__()
        size = config.span_size
        self.project = nn.Linear(3 * hidden + 9, size)
        self.label = nn.Embedding(labels, size)
        self.width = nn.Embedding(WIDTH_BUCKETS, size)
        self.norm = nn.LayerNorm(size)
        self.layers = nn.ModuleList(
            ContextLayer(size, 4, 2 * size, config.head_dropout, "gelu", batch_first=True, norm_first=True) for _ in range(config.span_layers)
        )
        self.dropout = nn.Dropout(config.head_dropout)
        self.score = nn.Sequential(nn.Linear(size, size), nn.GELU(), self.dropout, nn.Linear(size, 1))

    def forward(self, states: Tensor, tag_logits: Tensor, word_mask: Tensor, candidates: Candidates) -> tuple[Tensor, Tensor]:
        """Representations [B, S, span_size] and logits [B, S] of the candidates."""
        first, last = candidates.spans.unbind(-1)
        row = torch.arange(states.shape[0], device=states.device).unsqueeze(1)
        sums = F.pad(states.float().cumsum(1), (0, 0, 1, 0))
        width = (last - first + 1).unsqueeze(-1)
        mean = ((sums[row, last + 1] - sums[row, first]) / width).to(states.dtype)
        after = torch.minimum(last + 1, word_mask.sum(1, keepdim=True) - 1)  # the window's last word has only itself, however long the batch
        # what the tagger saw at both ends and behind; no gradient, it has its own loss
        seen = torch.cat([tag_logits[row, at, candidates.labels] for at in (first, last, after)], dim=-1).detach()
        features = torch.cat([states[row, first], states[row, last], mean, seen.to(states.dtype)], dim=-1)
        x = self.project(self.dropout(features)) + self.label(candidates.labels) + self.width((width.squeeze(-1) - 1).clamp(max=WIDTH_BUCKETS - 1))
        x = F.gelu(self.norm(x))
        # a row without candidates may not be masked whole: softmax over nothing is NaN
        hidden = ~candidates.mask & candidates.mask.any(1, keepdim=True)
        for layer in self.layers:
            x = layer(x, hidden)
        return x, self.score(x).squeeze(-1).float()


class PairScorer(nn.Module):
    """Scores anchor-argument pairs: biaffine, plus a small network over both and their distance."""

    def __init__(self, config: ConflictConfig) -> None:
        super().__init__()
        size = config.pair_size
        self.anchor = nn.Linear(config.span_size, 2 * size)
        self.argument = nn.Linear(config.span_size, 2 * size)
        self.bilinear = nn.Linear(size, size, bias=False)
        self.distance = nn.Embedding(2 * DISTANCE_BUCKETS + 1, size)
        self.dropout = nn.Dropout(config.head_dropout)
        self.out = nn.Linear(size, 1)

    def forward(self, states: Tensor, candidates: Candidates, rows: Tensor | None = None) -> Tensor:
        """Logits [B, S, S], anchors in rows; or [B, R, S] of some ``rows`` [R] alone."""
        start = candidates.spans[..., 0]
        anchors, first = (states, start) if rows is None else (states[:, rows], start[:, rows])
        first_anchor, first_argument = self.dropout(F.gelu(self.anchor(anchors))), self.dropout(F.gelu(self.argument(states)))
        anchor, anchor_hidden = first_anchor.chunk(2, dim=-1)
        argument, argument_hidden = first_argument.chunk(2, dim=-1)
        offset = bucket(start.unsqueeze(1) - first.unsqueeze(2))
        hidden = F.gelu(anchor_hidden.unsqueeze(2) + argument_hidden.unsqueeze(1) + self.distance(offset))
        scale = anchor.shape[-1] ** -0.5
        logits: Tensor = self.out(hidden).squeeze(-1) + scale * self.bilinear(anchor) @ argument.transpose(1, 2)
        return logits.float()


class ClusterScorer(nn.Module):
    """Scores whether two anchors mention one event, from a small state of each; symmetric."""

    def __init__(self, config: ConflictConfig) -> None:
        super().__init__()
        self.project = nn.Linear(config.span_size, CLUSTER_SIZE)
        self.pair = nn.Linear(2 * CLUSTER_SIZE, 1)
        self.distance = nn.Embedding(DISTANCE_BUCKETS + 1, 1)

    def forward(self, left: Tensor, right: Tensor, distance: Tensor) -> Tensor:
        """Projected states [..., 64] twice and their distance in words [...] -> logits [...]."""
        features = torch.cat([left * right, (left - right).abs()], dim=-1).to(self.pair.weight.dtype)
        logits: Tensor = self.pair(features).squeeze(-1) + self.distance(bucket(distance.abs()) - DISTANCE_BUCKETS).squeeze(-1)
        return logits.float()


def bucket(distance: Tensor) -> Tensor:
    """Signed distances in words -> 0 … 2 * DISTANCE_BUCKETS: exact up to 3, then logarithmic."""
    size = distance.abs().float()
    step = torch.where(size <= 3, size, 3 + (size / 3).clamp(min=1).log2() * 1.5).round().clamp(max=DISTANCE_BUCKETS)
    return (distance.sign() * step.long()).long() + DISTANCE_BUCKETS
