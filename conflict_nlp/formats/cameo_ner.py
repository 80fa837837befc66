"""Sources and targets of political acts, coded after CAMEO: ``data/cameo_ner`` of https://github.com/eventdata/ConfliBERT.

CoNLL columns, a sentence a document, with the tags S, T and R for source, target and another actor (related). :mod:`conflict_nlp.formats.conll` reads them;
here the labels get their names and the sentences ids, ``cameo-12`` for the twelfth. A sentence that occurs again is ``cameo-12-2``, so that
``training/split.py`` keeps it on one side with the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from conflict_nlp.formats import conll
from conflict_nlp.formats.base import Format, read_only
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.records import Record
from conflict_nlp.schema import Label, Schema

LABELS = {"S": "SOURCE", "T": "TARGET", "R": "RELATED"}
_TAGS = Schema("cameo tags", tuple(Label(tag) for tag in LABELS))


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The sentences of a file; which texts there were is kept in memory.

    Raises:
        FormatError: the file cannot be read, or the schema lacks one of the labels.
    """
    if missing := [name for name in LABELS.values() if name not in schema]:
        raise FormatError(f"{path}: the schema {schema.name} lacks {', '.join(missing)}: say --schema configs/cameo.yaml")
    return _named(conll.read(path, _TAGS))


def _named(records: Iterator[Record]) -> Iterator[Record]:
    seen: dict[str, tuple[int, int]] = {}
    for number, record in enumerate(records, 1):
        if record.data is None:
            yield record
            continue
        first, times = seen.get(record.data["text"], (number, 0))
        seen[record.data["text"]] = (first, times + 1)
        id = f"cameo-{first}" if not times else f"cameo-{first}-{times + 1}"
        spans = [{**span, "label": LABELS.get(span["label"], span["label"])} for span in record.data["spans"]]
        yield replace(record, data={**record.data, "id": id, "spans": spans})


FORMAT = Format("cameo-ner", "ConfliBERT's CAMEO sources and targets (read only)", (), read, read_only)
