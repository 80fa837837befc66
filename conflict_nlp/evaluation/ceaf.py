"""CEAF-REE: the score of MUC-4 role-filler entities, as the scorer of GRIT defines it (Du, Rush and Cardie 2021).

A role of a document has entities, and an entity is a list of mention strings. A predicted entity fits a gold entity if every one of
its mentions is a mention of the gold entity; entities are assigned one to one for the most fits (CEAF, Luo 2005). Fits, predicted
and gold entities are summed over documents, for a role and over all roles. Strings are compared in normal form
(:func:`conflict_nlp.evaluation.normalisation.normalise`). As in that scorer, nothing to find and nothing found is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from conflict_nlp.evaluation.normalisation import normalise
from conflict_nlp.evaluation.pairing import MismatchError, listed

ROLES = ("PerpInd", "PerpOrg", "Target", "Victim", "Weapon")

Entity: TypeAlias = Sequence[str]
Extracts: TypeAlias = Mapping[str, Sequence[Entity]]
"""The entities of one document, by role."""


@dataclass(frozen=True)
class EntityScore:
    """How many predicted entities fit a gold one, and how many there are on either side; scores in percent."""

    hits: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: EntityScore) -> EntityScore:
        return EntityScore(self.hits + other.hits, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float:
        """Fits among the predicted entities."""
        return 100 * self.hits / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Fits among the gold entities."""
        return 100 * self.hits / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        return 200 * self.hits / (self.predicted + self.gold) if self.predicted + self.gold else 0.0


@dataclass(frozen=True)
class CeafRee:
    """The score of every role, in the order of :data:`ROLES`."""

    roles: Mapping[str, EntityScore]

    @property
    def micro(self) -> EntityScore:
        """The score over all roles."""
        return sum(self.roles.values(), EntityScore())

    def scores(self) -> dict[str, float]:
        """``ceaf_ree_precision``, ``ceaf_ree_recall``, ``ceaf_ree_f1``, and each with ``_ROLE``, in percent."""
        named = [("", self.micro), *((f"_{role}", score) for role, score in self.roles.items())]
        return {f"ceaf_ree_{part}{name}": float(getattr(score, part)) for name, score in named for part in ("precision", "recall", "f1")}


def ceaf_ree(gold: Mapping[str, Extracts], predicted: Mapping[str, Extracts]) -> CeafRee:
    """Score predicted role fillers, both given by document id.

    A role that a prediction lacks is empty; a role that the gold of a document lacks is not scored there, as in the GRIT scorer.

    Raises:
        MismatchError: a document is missing on one side, or a role is none of :data:`ROLES`.
    """
    problems = [
        f"{side} {listed(ids)}"
        for side, ids in (("the predictions lack", sorted(gold.keys() - predicted.keys())), ("the gold lacks", sorted(predicted.keys() - gold.keys())))
        if ids
    ]
    for id, extracts in (*gold.items(), *predicted.items()):
        if unknown := sorted(set(extracts) - set(ROLES)):
            problems.append(f"{id}: {', '.join(unknown)} is no role, only {', '.join(ROLES)}")
    if problems:
        raise MismatchError("; ".join(problems))
    roles = dict.fromkeys(ROLES, EntityScore())
    for id, extracts in gold.items():
        for role, entities in extracts.items():
            roles[role] += score_entities(entities, predicted[id].get(role, ()))
    return CeafRee(roles)


def score_entities(gold: Sequence[Entity], predicted: Sequence[Entity]) -> EntityScore:
    """Score one role of one document."""
    known = [frozenset(map(normalise, entity)) for entity in gold]
    fits = [[int(set(map(normalise, entity)) <= mentions) for entity in predicted] for mentions in known]
    return EntityScore(_most_fits(fits), len(predicted), len(gold))


def _most_fits(fits: Sequence[Sequence[int]]) -> int:
    if not any(map(any, fits)):
        return 0
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(fits, maximize=True)
    return sum(fits[i][j] for i, j in zip(rows, columns, strict=True))
