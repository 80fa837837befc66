"""The layers of a CAS for a schema, and what is found in the layers of others."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from typing import Any

from conflict_nlp.document import Document
from conflict_nlp.formats.jsonl import dump
from conflict_nlp.schema import Schema

SPAN, LINK = "webanno.custom.ConflictSpan", "webanno.custom.ConflictLink"
SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
FIELD = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.MetaDataStringField"
_STRING, _ANNOTATION = "uima.cas.String", "uima.tcas.Annotation"


@dataclass(frozen=True)
class Layers:
    """The type system of a schema."""

    schema: Schema
    types: Any
    names: dict[str, str]

    @classmethod
    def of(cls, schema: Schema) -> Layers:
        """The layers for a schema. Attributes of one name are one feature; a boolean only where all of them are flags."""
        from cassis import TypeSystem

        types = TypeSystem()
        span = types.create_type(SPAN, _ANNOTATION)
        link = types.create_type(LINK, _ANNOTATION)
        kinds: dict[str, set[str]] = {}
        for label in schema.labels:
            for attribute in label.attributes:
                kinds.setdefault(attribute.name, set()).add(attribute.kind)
        names: dict[str, str] = {}
        for name in kinds:
            # a feature is one word, and must not be called like one of the layer's own
            fits = name.isidentifier() and not iskeyword(name) and name not in ("label", "identifier", "score", "begin", "end", "sofa", "type", "self")
            feature = name if fits else "attribute_" + re.sub(r"\W", "_", name)
            while feature in names.values():
                feature += "_"
            names[name] = feature
        for feature in ("label", "identifier"):
            types.create_feature(span, feature, _STRING)
        types.create_feature(span, "score", "uima.cas.Double")
        for name, found in kinds.items():
            types.create_feature(span, names[name], "uima.cas.Boolean" if found == {"flag"} else _STRING)
        for end in ("Governor", "Dependent"):
            types.create_feature(link, end, span)
        types.create_feature(link, "role", _STRING)
        types.create_feature(link, "score", "uima.cas.Double")
        types.create_type(SENTENCE, _ANNOTATION)
        metadata = types.create_type(METADATA, "uima.tcas.DocumentAnnotation")
        for feature in ("documentTitle", "documentId", "documentUri", "collectionId", "documentBaseUri"):
            types.create_feature(metadata, feature, _STRING)
        field = types.create_type(FIELD, _ANNOTATION)
        for feature in ("key", "value"):
            types.create_feature(field, feature, _STRING)
        return cls(schema, types, names)

    def xmi(self, document: Document, id: str) -> str:
        """A document as XMI."""
        from cassis import Cas

        cas = Cas(self.types)
        cas.sofa_string = document.text
        cas.sofa_mime = "text/plain"
        whole = {"begin": 0, "end": len(document.text)}
        get = self.types.get_type
        cas.add(get(METADATA)(**whole, documentId=id, documentTitle=id, language="x-unspecified"))
        sentences = _sentences(document)
        for start, end in sentences or ():
            cas.add(get(SENTENCE)(begin=start, end=end))
        for key, value in document.meta.items():
            if key != "sentences" or sentences is None:
                cas.add(get(FIELD)(**whole, key=key, value=_written(value)))
        booleans = {f.name for f in get(SPAN).all_features if f.rangeType.name == "uima.cas.Boolean"}
        found: dict[str, Any] = {}
        for span in document.spans:
            values = {self.names[name]: value if self.names[name] in booleans else _text(value) for name, value in span.attributes.items() if value is not None}
            found[span.id] = get(SPAN)(begin=span.start, end=span.end, label=span.label, identifier=span.id, score=span.score, **values)
            cas.add(found[span.id])
        for link in document.links:
            anchor, argument = found[link.anchor], found[link.argument]
            ends = {"Governor": anchor, "Dependent": argument, "role": argument.label, "score": link.score}
            cas.add(get(LINK)(begin=argument.begin, end=argument.end, **ends))
        return str(cas.to_xmi())

    @staticmethod
    def read(content: bytes, types: bytes, schema: Schema) -> tuple[dict[str, Any], set[str]]:
        """The document of a CAS, and the kinds of what is left out.

        Spans are annotations whose ``label`` or ``value``, or else whose layer's name, is a label of the schema; links are relations and slots
        between them.
        """
        from cassis import load_cas_from_xmi

        with warnings.catch_warnings():
            # cassis warns of offsets outside the text, which the checks of a document tell as an error
            warnings.simplefilter("ignore")
            cas = load_cas_from_xmi(io.BytesIO(content), typesystem=_types(types), lenient=True)
        return _Reader(cas, schema).data()


@lru_cache(maxsize=4)
def _types(content: bytes) -> Any:
    from cassis import load_typesystem

    return load_typesystem(io.BytesIO(content))


class _Reader:
    def __init__(self, cas: Any, schema: Schema) -> None:
        self.cas, self.schema = cas, schema
        self.dropped: set[str] = set()
        self.ids: dict[int, str] = {}
        self.labels: dict[int, str] = {}
        self.own = Layers.of(schema).names

    def data(self) -> tuple[dict[str, Any], set[str]]:
        text = self.cas.sofa_string
        data: dict[str, Any] = {"text": text if isinstance(text, str) else ""}
        annotations = sorted(self.cas.select_all_annotations(), key=lambda a: a.xmiID or 0)
        spans = [(a, label) for a in annotations if (label := self._label(a)) is not None]
        used = {id for a, _ in spans if (id := _identifier(a))}
        fresh = (f"T{n}" for n in range(1, len(spans) + len(used) + 1) if f"T{n}" not in used)
        data["spans"] = [self._span(a, label, fresh) for a, label in spans]
        data["links"] = [link for a in annotations for link in self._links(a)]
        sentences = [[a.begin, a.end] for a in annotations if a.type.name == SENTENCE]
        if sentences:
            data["sentences"] = sentences
        for a in annotations:
            if a.type.name == METADATA and getattr(a, "documentId", None):
                data["id"] = a.documentId
            elif a.type.name == FIELD and a.key and a.key not in ("id", "text", "spans", "links"):
                data[a.key] = _value(a.value or "")
        return data, self.dropped

    def _label(self, annotation: Any) -> str | None:
        name = annotation.type.name
        if name == SPAN:
            return annotation.label or ""
        if name.startswith("uima.") or ".segmentation.type." in name or name in (METADATA, FIELD, LINK):
            return None
        for feature in ("label", "value", "role"):
            value = getattr(annotation, feature, None)
            if isinstance(value, str) and value in self.schema and not hasattr(annotation, "Governor"):
                return value
        short = name.rpartition(".")[2]
        if short in self.schema:
            return str(short)
        if not hasattr(annotation, "Governor"):
            self.dropped.add(f"annotations of the layer {short}")
        return None

    def _span(self, annotation: Any, label: str, fresh: Iterator[str]) -> dict[str, Any]:
        id = _identifier(annotation) or next(fresh)
        self.ids[annotation.xmiID], self.labels[annotation.xmiID] = id, label
        span: dict[str, Any] = {"id": id, "label": label, "start": annotation.begin, "end": annotation.end}
        for attribute in self.schema[label].attributes if label in self.schema else ():
            value = getattr(annotation, self.own[attribute.name], None)
            if value is not None:
                span[attribute.name] = value in (True, "true") if attribute.kind == "flag" else value
        if isinstance(getattr(annotation, "score", None), float):
            span["score"] = annotation.score
        return span

    def _links(self, annotation: Any) -> Iterator[dict[str, Any]]:
        if getattr(annotation, "Governor", None) is not None and getattr(annotation, "Dependent", None) is not None:
            yield from self._link(annotation.Governor, annotation.Dependent, getattr(annotation, "score", None))
        elif annotation.xmiID in self.ids:
            for feature in annotation.type.all_features:
                slots = getattr(annotation, feature.name, None)
                for slot in getattr(slots, "elements", None) or (slots if isinstance(slots, list) else ()):
                    if getattr(slot, "target", None) is not None:
                        yield from self._link(annotation, slot.target, None)

    def _link(self, first: Any, second: Any, score: Any) -> Iterator[dict[str, Any]]:
        if first.xmiID not in self.ids or second.xmiID not in self.ids:
            self.dropped.add("relations between annotations that are no spans of the schema")
            return
        # relations are drawn either way; the schema knows which end is the anchor
        labels = self.labels[first.xmiID], self.labels[second.xmiID]
        if not self.schema.takes(*labels) and self.schema.takes(*reversed(labels)):
            first, second = second, first
        link = {"anchor": self.ids[first.xmiID], "argument": self.ids[second.xmiID]}
        yield {**link, "score": score} if isinstance(score, float) else link


def _identifier(annotation: Any) -> str | None:
    """The id of a span; in layers of others, a feature of this name is something else (an entry of a knowledge base)."""
    return str(annotation.identifier) if annotation.type.name == SPAN and annotation.identifier else None


def _sentences(document: Document) -> list[tuple[int, int]] | None:
    """The document's own sentences where they are offsets in order; anything else is a field like others."""
    given, size = document.meta.get("sentences"), len(document.text)
    if not isinstance(given, list) or not given or not all(isinstance(s, list) and len(s) == 2 and all(type(o) is int for o in s) for s in given):
        return None
    flat = [offset for sentence in given for offset in sentence]
    return [(start, end) for start, end in given] if flat == sorted(flat) and flat[0] >= 0 and flat[-1] <= size else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _written(value: Any) -> str:
    """A string as it is, unless it would be read as JSON."""
    return value if isinstance(value, str) and isinstance(_value(value), str) and _value(value) == value else dump(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
