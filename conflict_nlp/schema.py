"""The schema: which labels there are, which anchor takes which argument, and their attributes.

A schema is data. It is saved with a model, and everything else (encoding, decoding, training,
formats, evaluation) reads it, so that a group can train with labels of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

SCHEMA_VERSION = 1

AttributeKind = Literal["choice", "flag", "count", "cluster"]


class SchemaError(ValueError):
    """A schema contradicts itself, or is newer than this library."""


@dataclass(frozen=True)
class Attribute:
    """An attribute of a span.

    ``choice`` is one of ``values``; ``flag`` is true or false; ``count`` is a number of people in the
    grammar of :mod:`conflict_nlp.counts`; ``cluster`` is an identifier that the mentions of one event share.
    """

    name: str
    kind: AttributeKind
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(isinstance(word, str) for word in (self.name, *self.values)):
            raise SchemaError(f"attribute {self.name}: its name and values have to be strings: put yes, no and numbers in quotes")
        if self.kind not in get_args(AttributeKind):
            raise SchemaError(f"attribute {self.name}: kind {self.kind!r} is none of {', '.join(get_args(AttributeKind))}")
        if (self.kind == "choice") != bool(self.values):
            raise SchemaError(f"attribute {self.name}: values belong to a choice, and a choice needs them")


@dataclass(frozen=True)
class Label:
    """A span label. One that takes ``arguments`` (names of labels) is an anchor."""

    name: str
    arguments: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class Schema:
    """The labels of a task.

    Raises:
        SchemaError: a name is used twice, an argument names no label, or a label has two ``cluster`` attributes.
    """

    name: str
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        if not all(isinstance(name, str) for name in names):
            raise SchemaError(f"schema {self.name}: the names of labels have to be strings: put yes, no and numbers in quotes")
        if not names:
            raise SchemaError(f"schema {self.name} has no labels")
        if twice := {n for n in names if names.count(n) > 1}:
            raise SchemaError(f"schema {self.name} has {', '.join(sorted(twice))} twice")
        for label in self.labels:
            if unknown := set(label.arguments) - set(names):
                raise SchemaError(f"{label.name} takes {', '.join(sorted(unknown))}, which the schema {self.name} lacks")
            attributes = [a.name for a in label.attributes]
            if len(set(attributes)) < len(attributes):
                raise SchemaError(f"{label.name} has an attribute twice")
            if reserved := set(attributes) & {"id", "label", "start", "end", "text", "score"}:
                raise SchemaError(f"{label.name}: {', '.join(sorted(reserved))} cannot name an attribute")
            if sum(a.kind == "cluster" for a in label.attributes) > 1:
                raise SchemaError(f"{label.name} has more than one cluster attribute")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all labels; a label's index here is its index in the model's logits."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def _by_name(self) -> dict[str, Label]:
        return {label.name: label for label in self.labels}

    @cached_property
    def anchors(self) -> tuple[str, ...]:
        """The labels that take arguments."""
        return tuple(label.name for label in self.labels if label.arguments)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The labels that a record begins with: the anchors, and the labels that no other label takes."""
        taken = {argument for label in self.labels for argument in label.arguments if argument != label.name}
        return tuple(label.name for label in self.labels if label.arguments or label.name not in taken)

    def __contains__(self, label: object) -> bool:
        return label in self._by_name

    def __getitem__(self, label: str) -> Label:
        try:
            return self._by_name[label]
        except KeyError:
            raise SchemaError(f"the schema {self.name} has no label {label!r}, only {', '.join(self.names)}") from None

    def index(self, label: str) -> int:
        """The position of a label in :attr:`names`."""
        return self.names.index(self[label].name)

    def takes(self, anchor: str, argument: str) -> bool:
        """Whether a span labelled ``anchor`` may be linked to one labelled ``argument``."""
        return anchor in self and argument in self._by_name[anchor].arguments

    def cluster(self, label: str) -> Attribute | None:
        """The attribute of a label that groups its mentions into events, if it has one."""
        return next((a for a in self[label].attributes if a.kind == "cluster"), None)

    @property
    def has_casualties(self) -> bool:
        """Whether attacks have casualties with outcome and count, which can be added up."""
        if not self.takes("ATTACK", "CASUALTY"):
            return False
        kinds = {a.name: a.kind for a in self["CASUALTY"].attributes}
        return "outcome" in kinds and kinds.get("count") == "count"

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain data for JSON or YAML."""
        return {"version": SCHEMA_VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """The inverse of :meth:`to_dict`.

        Raises:
            SchemaError: the data are no schema, or were written by a newer version of the library.
        """
        if not isinstance(data, Mapping):
            raise SchemaError(f"a schema is an object with name and labels, not {data!r:.40}")
        version = data.get("version", SCHEMA_VERSION)
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            raise SchemaError(f"the schema has version {version}, this library reads up to {SCHEMA_VERSION}: update conflict-nlp")
        try:
            return cls(
                name=data["name"],
                labels=tuple(
                    Label(
                        name=label["name"],
                        arguments=tuple(label.get("arguments", ())),
                        attributes=tuple(Attribute(a["name"], a["kind"], tuple(a.get("values", ()))) for a in label.get("attributes", ())),
                    )
                    for label in data["labels"]
                ),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise SchemaError(f"not a schema: {error!r}") from error


CONFLICT = Schema(
    name="conflict",
    labels=(
        Label(
            "ATTACK",
            arguments=("ATTACKER", "TARGET", "CASUALTY", "WEAPON", "LOCATION", "TIME"),
            attributes=(Attribute("status", "choice", ("actual", "other")), Attribute("incident", "cluster")),
        ),
        Label(
            "CLAIM",
            arguments=("CLAIMANT", "OPPONENT", "SOVEREIGN", "TERRITORY", "ATTACK"),
            attributes=(Attribute("kind", "choice", ("violation", "assertion", "recognition", "rejection")),),
        ),
        Label("ATTACKER"),
        Label("TARGET"),
        Label(
            "CASUALTY",
            attributes=(
                Attribute("outcome", "choice", ("killed", "injured", "missing", "captured", "displaced", "unspecified")),
                Attribute("count", "count"),
                Attribute("subset", "flag"),
            ),
        ),
        Label("WEAPON"),
        Label("LOCATION"),
        Label("TIME"),
        Label("CLAIMANT"),
        Label("OPPONENT"),
        Label("SOVEREIGN"),
        Label("TERRITORY"),
    ),
)
"""The schema of conflict reports, as ``training/corpus/GUIDELINES.md`` defines it."""
