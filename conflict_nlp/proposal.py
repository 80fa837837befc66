"""B/I/O probabilities -> candidate spans, for the model to score. Recall counts here, precision comes after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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
    begin = probabilities[..., 1].masked_fill(~word_mask.unsqueeze(-1), 0.0).flatten(1)
    values, flat = begin.topk(min(limit, begin.shape[1]), dim=1)
    row, column = (values > START_THRESHOLD).nonzero(as_tuple=True)
    start, label = flat[row, column] // labels, flat[row, column] % labels
    inside = probabilities[..., 2].masked_fill(~word_mask.unsqueeze(-1), 0.0)
    position = torch.arange(words, device=begin.device).view(1, words, 1)
    keys = []
    for threshold in INSIDE_THRESHOLDS:
        stops = torch.where(inside > threshold, words, position)  # where a span that began before has ended
        following = torch.cat([stops[:, 1:], stops.new_full((batch, 1, labels), words)], dim=1)
        end = following.flip(1).cummin(1).values.flip(1)[row, start, label] - 1
        keys.append(((row * words + start) * words + end) * labels + label)
    for given in extra:
        row, column = given.mask.nonzero(as_tuple=True)
        first, last = given.spans[row, column].unbind(-1)
        keys.append(((row * words + first) * words + last) * labels + given.labels[row, column])
    return _padded(torch.unique(torch.cat(keys)), batch, words, labels)


def _padded(keys: Tensor, batch: int, words: int, labels: int) -> Candidates:
    row = keys // (words * words * labels)
    sizes = torch.bincount(row, minlength=batch)
    column = torch.arange(len(keys), device=keys.device) - (sizes.cumsum(0) - sizes)[row]
    width = max(1, int(sizes.max()))  # attention cannot do without a column, real or not
    spans = keys.new_zeros((batch, width, 2))
    kinds = keys.new_zeros((batch, width))
    mask = torch.zeros((batch, width), dtype=torch.bool, device=keys.device)
    spans[row, column, 0] = keys // (words * labels) % words
    spans[row, column, 1] = keys // labels % words
    kinds[row, column] = keys % labels
    mask[row, column] = True
    return Candidates(spans, kinds, mask)
