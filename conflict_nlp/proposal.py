"""B/I/O probabilities -> candidate spans, for the model to score. Recall counts here, precision comes after.

No number of Python's depends on a tensor's values or sizes here, so that the model can be traced into a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

START_THRESHOLD = 0.08
INSIDE_THRESHOLDS = (0.2, 0.5, 0.8)


@dataclass(frozen=True)
class Candidates:
    """Candidate spans of a batch: ``spans`` [B, S, 2] first and last word, ``labels`` [B, S], ``mask`` [B, S] which are real; S is at least 1."""

    spans: Tensor
    labels: Tensor
    mask: Tensor


def propose(probabilities: Tensor, word_mask: Tensor, limit: int, extra: Sequence[Candidates] = ()) -> Candidates:
    """Spans that start where B is likely and go on as long as I is, for a few readings of "likely".

    Args:
        probabilities: [B, W, L, 3] of O, B and I for each word and label.
        word_mask: [B, W] which words are real.
        limit: starts a window at most, the likeliest first.
        extra: candidates to add (in training the gold, and what a teacher proposes).
    """
    batch, words, labels, _ = probabilities.shape
    begin = F.pad(probabilities[..., 1].masked_fill(~word_mask.unsqueeze(-1), 0.0).flatten(1), (0, limit))  # as many to choose from, however short the batch
    values, flat = begin.topk(limit, dim=1)
    row, column = (values > START_THRESHOLD).nonzero(as_tuple=True)
    start, label = flat[row, column] // labels, flat[row, column] % labels
    inside = probabilities[..., 2].masked_fill(~word_mask.unsqueeze(-1), 0.0).transpose(1, 2)[row, label]
    position = torch.arange(words, device=begin.device)
    behind = position > start.unsqueeze(1)
    keys = []
    for threshold in INSIDE_THRESHOLDS:
        end = torch.where(behind & (inside <= threshold), position, words).amin(1) - 1
        keys.append(((row * words + start) * words + end) * labels + label)
    for given in extra:
        row, column = given.mask.nonzero(as_tuple=True)
        first, last = given.spans[row, column].unbind(-1)
        keys.append(((row * words + first) * words + last) * labels + given.labels[row, column])
    return _padded(torch.unique(torch.cat(keys)), batch, words, labels)


def _padded(keys: Tensor, batch: int, words: int, labels: int) -> Candidates:
    rows = torch.arange(batch, device=keys.device)
    sizes = (keys // (words * words * labels) == rows.unsqueeze(1)).sum(1)
    column = torch.arange(keys.shape[0] + 1, device=keys.device)
    column = column[column < sizes.max().clamp(min=1)]  # attention cannot do without a column, real or not
    mask = column < sizes.unsqueeze(1)
    place = (sizes.cumsum(0) - sizes).unsqueeze(1) + column
    keys = F.pad(keys, (0, 1))[torch.where(mask, place, keys.shape[0])]
    spans = torch.stack([keys // (words * labels) % words, keys // labels % words], dim=-1)
    return Candidates(spans, keys % labels, mask)
