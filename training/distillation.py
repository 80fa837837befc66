"""Learning from a teacher's soft decisions (Hinton et al. 2015) beside the gold, or where there is none."""

from __future__ import annotations

from typing import Any

import torch
from teacher import Teacher
from torch import Tensor, nn
from torch.nn import functional as F

from conflict_nlp.losses import GoldBatch, Logits
from conflict_nlp.modeling import ConflictModel, ConflictOutput
from conflict_nlp.proposal import Candidates


class Taught(nn.Module):
    """A model whose loss is that of the gold, where a batch has some, and its distance from a teacher.

    Args:
        student: what is trained.
        teacher: what it learns from; it does not change.
        weight: what the teacher counts beside the gold.
    """

    def __init__(self, student: ConflictModel, teacher: Teacher, weight: float) -> None:
        super().__init__()
        self.student = student
        self.teacher = (teacher,)  # in a tuple, so that its weights are none of this module's
        self.weight = weight

    def forward(self, word_mask: Tensor, taught: Tensor | None = None, gold: GoldBatch | None = None, **inputs: Any) -> ConflictOutput:
        """A batch as :meth:`conflict_nlp.modeling.ConflictModel.forward` takes it, and ``taught`` [B, W, H], the teacher's states of its words, if it
        was asked.
        """
        if taught is None:
            return self.student(word_mask=word_mask, gold=gold, **inputs)  # type: ignore[no-any-return]
        (teacher,) = self.teacher
        lesson = teacher.lesson(taught, word_mask)
        output: ConflictOutput = self.student(word_mask=word_mask, gold=gold, extra=[lesson.candidates], **inputs)
        wanted = teacher.score(lesson, word_mask, output.candidates)
        soft = self.soft_losses(output.logits, wanted, output.candidates, word_mask)
        loss = self.weight * self.student.weighed(soft)
        output.loss = loss if output.loss is None else output.loss + loss
        output.losses = {**(output.losses or {}), **{f"soft_{name}": value for name, value in soft.items()}}
        return output

    def soft_losses(self, student: Logits, teacher: Logits, spans: Candidates, word_mask: Tensor) -> dict[str, Tensor]:
        """One scalar a head, as of :func:`conflict_nlp.losses.losses`, with the teacher's probabilities for gold.

        Spans and links are a sum over all candidates and allowed pairs, for each span that the teacher expects; the readings of a span, which
        overlap, share its weight. Attributes and clusters are means, weighted by how likely the teacher holds the spans to be.
        """
        likely = teacher.spans.sigmoid() * spans.mask
        overlap = overlapping(spans)
        share = 1 / overlap.sum(2).clamp(min=1)
        expected = (likely * share).sum().clamp(min=1)
        allowed = student.links > float("-inf")
        pairs = (share.unsqueeze(1) * share.unsqueeze(2))[allowed]
        return {
            "tags": (soft_cross_entropy(student.tags, teacher.tags).sum(-1) * word_mask).sum() / word_mask.sum().clamp(min=1),
            "spans": (binary(student.spans, teacher.spans.sigmoid()) * share * spans.mask).sum() / expected,
            "links": (binary(student.links[allowed], teacher.links[allowed].sigmoid()) * pairs).sum() / expected,
            "attributes": self._attributes(student.attributes, teacher.attributes, spans.labels, likely),
            "clusters": self._clusters(student.cluster_states, teacher.cluster_states, spans, likely, overlap),
        }

    def _attributes(self, student: Tensor, teacher: Tensor, labels: Tensor, likely: Tensor) -> Tensor:
        total = student.new_zeros(())
        for slot in self.student.slots:
            weight = likely * (labels == self.student.label_schema.index(slot.label))
            own = slice(slot.offset, slot.offset + slot.size)
            total = total + (soft_cross_entropy(student[..., own], teacher[..., own]) * weight).sum() / weight.sum().clamp(min=1)
        return total

    def _clusters(self, student: Tensor, teacher: Tensor, spans: Candidates, likely: Tensor, overlap: Tensor) -> Tensor:
        clustered = torch.tensor([self.student.label_schema.cluster(name) is not None for name in self.student.label_schema.names], device=likely.device)
        same = (spans.labels.unsqueeze(1) == spans.labels.unsqueeze(2)) & clustered[spans.labels].unsqueeze(1)
        weight = likely.unsqueeze(1) * likely.unsqueeze(2) * same * ~overlap
        batch, left, right = (weight.triu(1) > 0.1).nonzero(as_tuple=True)
        if not len(batch):
            return student.new_zeros(())
        start = spans.spans[..., 0]
        distance = start[batch, left] - start[batch, right]
        (master,) = self.teacher
        with torch.no_grad():
            wanted = master.model.cluster_logits(teacher[batch, left], teacher[batch, right], distance).sigmoid()
        loss = binary(self.student.cluster_logits(student[batch, left], student[batch, right], distance), wanted)
        weights = weight[batch, left, right]
        return (loss * weights).sum() / weights.sum().clamp(min=1)


def overlapping(spans: Candidates) -> Tensor:
    """Which candidates share words and the label, [B, S, S]; each with itself."""
    first, last = spans.spans.unbind(-1)
    shared = (first.unsqueeze(1) <= last.unsqueeze(2)) & (first.unsqueeze(2) <= last.unsqueeze(1))
    return shared & (spans.labels.unsqueeze(1) == spans.labels.unsqueeze(2)) & spans.mask.unsqueeze(1) & spans.mask.unsqueeze(2)


def binary(logits: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy, elementwise."""
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")


def soft_cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Of logits [..., C] against others' probabilities -> [...]."""
    return -(wanted.softmax(-1) * logits.log_softmax(-1)).sum(-1)
