"""The training loss: what was proposed and scored, against the gold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from conflict_nlp.encoding import IGNORE, AttributeSlot
from conflict_nlp.proposal import Candidates

PROPOSED = 4
"""Candidates for each gold span, that a trained tagger proposes at most."""


@dataclass(frozen=True)
class GoldBatch:
    """The gold of a batch, padded: the arrays of :class:`conflict_nlp.encoding.WindowLabels` with a batch axis and ``mask`` [B, G]."""

    tags: Tensor
    spans: Tensor
    labels: Tensor
    links: Tensor
    attributes: Tensor
    clusters: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> GoldBatch:
        """The same batch on another device."""
        return GoldBatch(*(getattr(self, f.name).to(device) for f in fields(self)))


@dataclass(frozen=True)
class Logits:
    """The model's logits of a batch, see :class:`conflict_nlp.modeling.ConflictOutput`."""

    tags: Tensor
    spans: Tensor
    links: Tensor
    attributes: Tensor
    cluster_states: Tensor


def losses(
    logits: Logits,
    candidates: Candidates,
    gold: GoldBatch,
    word_mask: Tensor,
    slots: Sequence[AttributeSlot],
    cluster: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> dict[str, Tensor]:
    """One scalar a head.

    Tags are a mean over words of the sum over labels; spans and links a sum over all candidates and allowed pairs, for each
    gold span, or for every four candidates where that is more; attributes and clusters means. A candidate that overlaps a gold span of its
    label is wrong as a span, but keeps that span's links and attributes, so that a slipped boundary costs no more than itself; in the
    links, the readings of one gold span share its weight.
    """
    match, exact = match_gold(candidates, gold)
    matched, index = match >= 0, match.clamp(min=0)
    row = torch.arange(len(match), device=match.device).unsqueeze(1)
    words = word_mask.sum().clamp(min=1)
    # a batch with hardly any gold may not weigh more than others for what it proposes: that would teach the tagger to propose nothing
    golds = torch.maximum(gold.mask.sum(), candidates.mask.sum() / PROPOSED).clamp(min=1)
    tags = F.cross_entropy(logits.tags.flatten(0, 2), gold.tags.flatten(), ignore_index=IGNORE, reduction="sum")
    spans = F.binary_cross_entropy_with_logits(logits.spans, exact.float(), reduction="none")
    allowed = logits.links > float("-inf")
    if gold.spans.shape[1]:
        linked = gold.links[row.unsqueeze(2), index.unsqueeze(2), index.unsqueeze(1)] & matched.unsqueeze(1) & matched.unsqueeze(2)
        values = gold.attributes[row, index].masked_fill(~matched.unsqueeze(-1), IGNORE)
        clusters = gold.clusters[row, index].masked_fill(~matched, -1)
    else:
        linked = torch.zeros_like(allowed)
        values = torch.full((*match.shape, len(slots)), IGNORE, device=match.device)
        clusters = torch.full_like(match, -1)
    weight = 1 / (matched.unsqueeze(1) & (match.unsqueeze(1) == match.unsqueeze(2))).sum(2).clamp(min=1)
    pairs = (weight.unsqueeze(1) * weight.unsqueeze(2))[allowed]
    links = F.binary_cross_entropy_with_logits(logits.links[allowed], linked[allowed].float(), weight=pairs, reduction="sum")
    return {
        "tags": tags / words,
        "spans": (spans * candidates.mask).sum() / golds,
        "links": links / golds,
        "attributes": _attribute_loss(logits.attributes, values, slots),
        "clusters": _cluster_loss(logits.cluster_states, candidates, index, clusters, cluster),
    }


def _attribute_loss(logits: Tensor, values: Tensor, slots: Sequence[AttributeSlot]) -> Tensor:
    total = logits.new_zeros(())
    for number, slot in enumerate(slots):
        wanted = values[..., number]
        if (wanted != IGNORE).any():
            own = logits[..., slot.offset : slot.offset + slot.size]
            total = total + F.cross_entropy(own.flatten(0, 1), wanted.flatten(), ignore_index=IGNORE)
    return total


def _cluster_loss(states: Tensor, candidates: Candidates, index: Tensor, clusters: Tensor, score: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    known = clusters >= 0
    # each pair once, and not two readings of one gold span
    pairs = known.unsqueeze(1) & known.unsqueeze(2) & (index.unsqueeze(2) < index.unsqueeze(1))
    pairs &= candidates.labels.unsqueeze(1) == candidates.labels.unsqueeze(2)
    batch, left, right = pairs.nonzero(as_tuple=True)
    if not len(batch):
        return states.new_zeros(())
    start = candidates.spans[..., 0]
    logits = score(states[batch, left], states[batch, right], start[batch, left] - start[batch, right])
    return F.binary_cross_entropy_with_logits(logits, (clusters[batch, left] == clusters[batch, right]).float())


def match_gold(candidates: Candidates, gold: GoldBatch) -> tuple[Tensor, Tensor]:
    """The gold span of the same label that each candidate overlaps most, [B, S] (-1 for none), and whether it is exactly that one."""
    if gold.spans.shape[1] == 0:
        none = torch.full_like(candidates.labels, -1)
        return none, none >= 0
    first, last = (x.unsqueeze(2) for x in candidates.spans.unbind(-1))
    gold_first, gold_last = (x.unsqueeze(1) for x in gold.spans.unbind(-1))
    shared = torch.minimum(last, gold_last) - torch.maximum(first, gold_first) + 1
    union = torch.maximum(last, gold_last) - torch.minimum(first, gold_first) + 1
    same = (candidates.labels.unsqueeze(2) == gold.labels.unsqueeze(1)) & gold.mask.unsqueeze(1) & candidates.mask.unsqueeze(2)
    likeness, match = (shared.clamp(min=0) / union).masked_fill(~same, 0.0).max(dim=2)
    return match.masked_fill(likeness <= 0, -1), likeness == 1.0
