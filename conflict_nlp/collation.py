"""Windows, and their gold, padded to one batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from conflict_nlp.batching import padded
from conflict_nlp.encoding import IGNORE, Window, WindowLabels
from conflict_nlp.losses import GoldBatch


def collate(windows: Sequence[Window], pad_token_id: int) -> dict[str, Tensor]:
    """The arrays of :func:`conflict_nlp.batching.padded` as tensors."""
    return {name: torch.from_numpy(array) for name, array in padded(windows, pad_token_id).items()}


def collate_gold(gold: Sequence[WindowLabels]) -> GoldBatch:
    """The gold of a batch, padded to the most words and the most spans."""
    size, words, spans = len(gold), max(len(g.tags) for g in gold), max(len(g.spans) for g in gold)
    tags = np.full((size, words, gold[0].tags.shape[1]), IGNORE, dtype=np.int64)
    places = np.zeros((size, spans, 2), dtype=np.int64)
    labels = np.zeros((size, spans), dtype=np.int64)
    links = np.zeros((size, spans, spans), dtype=np.bool_)
    attributes = np.full((size, spans, gold[0].attributes.shape[1]), IGNORE, dtype=np.int64)
    clusters = np.full((size, spans), -1, dtype=np.int64)
    mask = np.zeros((size, spans), dtype=np.bool_)
    for row, g in enumerate(gold):
        n = len(g.spans)
        tags[row, : len(g.tags)] = g.tags
        places[row, :n], labels[row, :n], links[row, :n, :n] = g.spans, g.labels, g.links
        attributes[row, :n], clusters[row, :n], mask[row, :n] = g.attributes, g.clusters, True
    return GoldBatch(*(torch.from_numpy(array) for array in (tags, places, labels, links, attributes, clusters, mask)))
