"""The metrics as `evaluate` modules, which load without a network.

Predictions and references are documents: :class:`conflict_nlp.document.Document`, their dictionaries, or those as JSON.

>>> from conflict_nlp.evaluation.modules import Spans
>>> Spans().compute(predictions=documents, references=gold)["span_exact_f1"]  # doctest: +SKIP

``evaluate.load(conflict_nlp.evaluation.modules.__file__)`` gives :class:`Summary`. This module needs the extra ``evaluate``, and nothing
else of the library imports it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import datasets
import evaluate

from conflict_nlp.document import Document
from conflict_nlp.evaluation import agreement, attributes, calibration, casualties, incidents, links, records, spans, summary
from conflict_nlp.evaluation.ceaf import ceaf_ree
from conflict_nlp.schema import CONFLICT, Schema

Scorer = Callable[[Sequence[Document], Sequence[Document], Schema], dict[str, float]]

_CITATION = "conflict-nlp, https://pypi.org/project/conflict-nlp"


class _JsonMetric(evaluate.Metric, ABC):  # type: ignore[misc]
    """A metric whose inputs are objects, kept as JSON since their keys depend on the schema."""

    @abstractmethod
    def _described(self) -> str:
        """What it measures."""

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description=self._described(),
            citation=_CITATION,
            inputs_description="predictions and references: objects, or JSON, in the same order or with ids; schema: a Schema or its dictionary",
            features=datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")}),
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Add predictions and references."""
        super().add_batch(predictions=[_to_json(p) for p in predictions], references=[_to_json(r) for r in references], **kwargs)

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Add one prediction and its reference."""
        super().add(prediction=_to_json(prediction), reference=_to_json(reference), **kwargs)


class _DocumentMetric(_JsonMetric, ABC):
    """A metric over documents."""

    @property
    @abstractmethod
    def _scorer(self) -> Scorer:
        """The plain function."""

    def _described(self) -> str:
        return self._scorer.__doc__ or ""

    def _compute(self, predictions: Sequence[str], references: Sequence[str], schema: Schema | Mapping[str, Any] = CONFLICT) -> dict[str, float]:
        schema = schema if isinstance(schema, Schema) else Schema.from_dict(schema)
        gold, predicted = ([Document.from_dict(json.loads(d), schema) for d in side] for side in (references, predictions))
        return self._scorer(gold, predicted, schema)


class Summary(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.summary.scores`."""

    _scorer = staticmethod(summary.scores)


class Spans(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.spans.scores`."""

    _scorer = staticmethod(spans.scores)


class Links(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.links.scores`."""

    _scorer = staticmethod(links.scores)


class Incidents(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.incidents.scores`."""

    _scorer = staticmethod(incidents.scores)


class Attributes(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.attributes.scores`."""

    _scorer = staticmethod(attributes.scores)


class Records(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.records.scores`."""

    _scorer = staticmethod(records.scores)


class Casualties(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.casualties.scores`."""

    _scorer = staticmethod(casualties.scores)


class Calibration(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.calibration.scores`."""

    _scorer = staticmethod(calibration.scores)


class Agreement(_DocumentMetric):
    """:func:`conflict_nlp.evaluation.agreement.agreement`."""

    _scorer = staticmethod(agreement.agreement)


class CeafRee(_JsonMetric):
    """:func:`conflict_nlp.evaluation.ceaf.ceaf_ree`; an input is the entities of a document, ``{"PerpInd": [["guerrillas"], …], …}``."""

    def _described(self) -> str:
        return ceaf_ree.__doc__ or ""

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        gold, predicted = ({str(n): json.loads(d) for n, d in enumerate(side, 1)} for side in (references, predictions))
        return ceaf_ree(gold, predicted).scores()


def _to_json(item: Any) -> str:
    if isinstance(item, str):
        return item
    return json.dumps(item.to_dict() if isinstance(item, Document) else item)
