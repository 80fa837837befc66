"""A document for a person: the text with its spans marked, and a table for each label that a record begins with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from conflict_nlp.document import Anchor, Document, Incident, Span
from conflict_nlp.schema import Schema

ANCHOR_STYLES = ("bold red", "bold magenta", "bold blue")
ARGUMENT_STYLES = ("yellow", "cyan", "bright_red", "green", "blue", "magenta", "bright_yellow", "bright_cyan", "bright_green", "bright_blue", "bright_magenta")


def render(document: Document, schema: Schema) -> RenderableType:
    """The document as a rich renderable: marked text, then one table for each label of ``schema.heads`` that occurs."""
    title = [Rule(Text(visible(document.id)), align="left")] if document.id else []
    tables = [table for label in schema.heads if (table := _table(document, label, schema)) is not None]
    nothing = [] if document.spans else [Text("nothing found", style="dim")]
    return Group(*title, marked_text(document, schema), Text(), *tables, *nothing)


def visible(text: str) -> str:
    """The text with control characters and lone surrogates as visible characters, one for one, so that offsets hold."""
    return "".join(c if c in "\n\t" or c.isprintable() else _stand_in(c) for c in text)


def _stand_in(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else " " if character.isspace() else "�"


def marked_text(document: Document, schema: Schema) -> Text:
    """The text, its spans coloured, each followed by its label."""
    styles = label_styles(schema)
    text = Text(visible(document.text))
    ends: dict[int, list[Span]] = {}
    for span in document.spans:
        text.stylize(styles.get(span.label, ""), span.start, span.end)
        ends.setdefault(span.end, []).append(span)
    result = Text()
    for piece, end in zip_longest(text.divide(sorted(ends)), sorted(ends)):
        result.append_text(piece)
        for span in sorted(ends.get(end, ()), key=lambda s: -s.start):
            result.append(f"[{span.label}]", style=f"dim {styles.get(span.label, '')}")
    return result


def label_styles(schema: Schema) -> dict[str, str]:
    """A terminal style for every label; anchors are bold."""
    arguments = [name for name in schema.names if name not in schema.anchors]
    anchors = {name: ANCHOR_STYLES[i % len(ANCHOR_STYLES)] for i, name in enumerate(schema.anchors)}
    return anchors | {name: ARGUMENT_STYLES[i % len(ARGUMENT_STYLES)] for i, name in enumerate(arguments)}


def _table(document: Document, label: str, schema: Schema) -> Table | None:
    anchors = document.anchors(label)
    if not anchors:
        return None
    cluster = schema.cluster(label)
    columns = [name for name in schema[label].arguments if any(a.arguments(name) for a in anchors)]
    attributes = [a.name for a in schema[label].attributes if a is not cluster]
    counted = label == "ATTACK" and "CASUALTY" in columns and schema.has_casualties
    table = Table(title=label, title_justify="left", title_style=label_styles(schema)[label], show_lines=True)
    for heading in [cluster.name if cluster else "", label.lower(), *attributes, *map(str.lower, columns), *(["killed", "injured"] if counted else [])]:
        table.add_column(Text(heading), overflow="fold")
    groups = _incidents(anchors, cluster.name) if cluster else [Incident(a.span.id, (a,)) for a in anchors]
    for group in groups:
        cells = [group.id, _joined(a.text for a in group.attacks)]
        cells += [_joined(str(a.span.attributes.get(name, "")) for a in group.attacks) for name in attributes]
        # what is added up is shown as often as it is
        cells += [("\n".join if counted and name == "CASUALTY" else _joined)(_described(s, schema) for s in group.arguments(name)) for name in columns]
        if counted:
            cells += ["" if n is None else str(n) for n in (group.killed, group.injured)]
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table


def _incidents(anchors: Iterable[Anchor], attribute: str) -> Iterator[Incident]:
    groups: dict[str, list[Anchor]] = {}
    for anchor in anchors:
        groups.setdefault(str(anchor.span.attributes.get(attribute, anchor.span.id)), []).append(anchor)
    return (Incident(name, tuple(members)) for name, members in groups.items())


def _described(span: Span, schema: Schema) -> str:
    values = [span.attributes.get(a.name) for a in schema[span.label].attributes] if span.label not in schema.anchors else []
    shown = [str(v) for v in values if isinstance(v, str)] + [a.name for a in schema[span.label].attributes if span.attributes.get(a.name) is True]
    return f"{span.text} ({' '.join(shown)})" if shown else span.text


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(part for part in parts if part))
