"""Passages that differ from one another: clusters of the encoder's states, and one passage of each.

Uncertainty alone picks the same hard passage many times. So the most uncertain ones are clustered with their uncertainty as weight, as in Zhdanov
(2019, "Diverse mini-batch active learning"); of a cluster the most uncertain passage is taken, where Zhdanov takes the one nearest to the centre.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from conflict_nlp.collation import collate
from conflict_nlp.decoding import Floats
from conflict_nlp.encoding import Window
from conflict_nlp.extractor import Extractor
from conflict_nlp.onnx.model import OnnxModel

WINDOWS = 16  # that the encoder reads at once


def one_a_cluster(vectors: Floats, weights: npt.NDArray[np.float64], number: int, seed: int) -> list[int]:
    """The rows of the heaviest passage of each cluster, the heaviest first.

    Args:
        vectors: [N, H].
        weights: [N], none negative.
        number: how many clusters, and rows.
        seed: of the clustering.
    """
    if number >= len(vectors):
        return sorted(range(len(vectors)), key=lambda row: -weights[row])
    from sklearn.cluster import KMeans

    clusters = KMeans(number, n_init=3, random_state=seed).fit_predict(vectors, sample_weight=weights + 1e-9)
    order = sorted(range(len(vectors)), key=lambda row: -weights[row])
    heaviest: dict[int, int] = {}
    for row in order:
        heaviest.setdefault(int(clusters[row]), row)
    picked = set(heaviest.values())
    # equal vectors make fewer clusters than asked for
    picked |= set(islice((row for row in order if row not in picked), number - len(picked)))
    return [row for row in order if row in picked]


@torch.inference_mode()
def vectors(extractor: Extractor, texts: Sequence[str]) -> Floats:
    """The mean of the encoder's states over each text's tokens, of length 1; [N, H]. A text without words has zeros.

    Raises:
        ValueError: the extractor computes by ONNX Runtime, which gives no states.
    """
    model = extractor.model
    if isinstance(model, OnnxModel):
        raise ValueError("the encoder's states are torch's: load the model with runtime='torch'")
    sums = torch.zeros(len(texts), model.encoder.config.hidden_size)
    for batch in _batches((row, window) for row, text in enumerate(texts) for window in extractor.windower.windows(text)):
        tensors = collate([window for _, window in batch], extractor.tokenizer.pad_token_id or 0)
        ids, mask = tensors["input_ids"].to(extractor.device), tensors["attention_mask"].to(extractor.device)
        with torch.autocast(extractor.device.type, extractor.half, enabled=extractor.half is not None):
            states = model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        for (row, _), total in zip(batch, (states.float() * mask.unsqueeze(-1)).sum(1).cpu(), strict=True):
            sums[row] += total
    means: Floats = torch.nn.functional.normalize(sums, dim=1).numpy()
    return means


def _batches(items: Iterable[tuple[int, Window]]) -> Iterator[list[tuple[int, Window]]]:
    stream = iter(items)
    while batch := list(islice(stream, WINDOWS)):
        yield batch
