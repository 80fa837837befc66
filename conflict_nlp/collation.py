"""Windows, and their gold, padded to one batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from conflict_nlp.encoding import IGNORE, Window, WindowLabels
from conflict_nlp.losses import GoldBatch


def collate(windows: Sequence[Window], pad_token_id: int) -> dict[str, Tensor]:
    """``input_ids`` and ``attention_mask`` [B, T], ``word_tokens`` and ``word_mask`` [B, W], padded to the longest."""
    tokens = max(len(w.input_ids) for w in windows)
    words = max(len(w.word_tokens) for w in windows)
    input_ids = np.full((len(windows), tokens), pad_token_id, dtype=np.int64)
    attention_mask = np.zeros((len(windows), tokens), dtype=np.int64)
    word_tokens = np.zeros((len(windows), words), dtype=np.int64)
    word_mask = np.zeros((len(windows), words), dtype=np.bool_)
    for row, window in enumerate(windows):
        input_ids[row, : len(window.input_ids)] = window.input_ids
        attention_mask[row, : len(window.input_ids)] = 1
        word_tokens[row, : len(window.word_tokens)] = window.word_tokens
        word_mask[row, : len(window.word_tokens)] = True
    arrays = {"input_ids": input_ids, "attention_mask": attention_mask, "word_tokens": word_tokens, "word_mask": word_mask}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


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
