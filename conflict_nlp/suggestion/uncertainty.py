"""How unsure the model is of a passage.

Total entropy, as in uncertainty sampling for sequence labelling (Settles and Craven 2008, "An analysis of active learning strategies for sequence
labeling tasks"): it is summed over a passage's decisions, not averaged, since an annotator reads a passage as a whole. With every span and link
a decision of its own, the entropy of the annotation is that of the spans, and that of the links as far as their spans are there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conflict_nlp.decoding import Floats, WindowReading


def uncertainty(readings: Sequence[WindowReading]) -> float:
    """The entropy in bits of a passage's spans and links, from what the model saw in its windows before any threshold."""
    return float(sum(_spans(reading) + _links(reading) for reading in readings))


def _spans(reading: WindowReading) -> float:
    return float(entropy(reading.scores[reading.owned]).sum())


def _links(reading: WindowReading) -> float:
    """What is expected of the links' entropy: a link is a question only where both of its spans are there."""
    both = np.outer(reading.scores[reading.owned], reading.scores)
    return float((both * entropy(reading.links[reading.owned])).sum())


def entropy(probabilities: Floats) -> Floats:
    """The entropy of yes-or-no decisions, in bits, each for itself."""
    p = np.clip(probabilities.astype(np.float64), 1e-12, 1 - 1e-12)
    return (-p * np.log2(p) - (1 - p) * np.log2(1 - p)).astype(np.float32)
