"""Label Studio's labelling configuration for a schema, and the names of its controls."""

from __future__ import annotations

from colorsys import hls_to_rgb
from xml.sax.saxutils import quoteattr

from conflict_nlp.schema import Attribute, Schema

LABELS = "label"
"""The control that gives a region its label."""
TEXT = "text"
"""The object that is labelled, and the key of the text in a task's data."""


def control(label: str, attribute: str) -> str:
    """The name of the control for an attribute of a label; two labels may have attributes of one name."""
    return f"{label}_{attribute}"


def labeling_config(schema: Schema) -> str:
    """The XML to paste into *Settings, Labeling Interface, Code* of a Label Studio project.

    Each attribute is asked for when a region of its label is chosen: a choice and a flag as radio buttons, a count and a cluster as a
    line of text. Relations are named by the labels that can be arguments; draw them from the anchor to the argument.
    """
    lines = ["<View>", f'  <Relations>{"".join(f"<Relation value={quoteattr(role)}/>" for role in _roles(schema))}</Relations>' if _roles(schema) else ""]
    lines += [f"  <Labels name={quoteattr(LABELS)} toName={quoteattr(TEXT)}>"]
    lines += [f"    <Label value={quoteattr(label)} background={quoteattr(_colour(n, len(schema.names)))}/>" for n, label in enumerate(schema.names)]
    lines += ["  </Labels>", f'  <Text name={quoteattr(TEXT)} value="${TEXT}" granularity="word"/>']
    for label in schema.labels:
        for attribute in label.attributes:
            lines += [f'  <View visibleWhen="region-selected" whenLabelValue={quoteattr(label.name)}>', f"    <Header value={quoteattr(attribute.name)}/>"]
            lines += [f"    {_control(label.name, attribute)}", "  </View>"]
    return "\n".join(line for line in [*lines, "</View>", ""] if line or line == lines[-1])


def _control(label: str, attribute: Attribute) -> str:
    common = f"name={quoteattr(control(label, attribute.name))} toName={quoteattr(TEXT)} perRegion=\"true\" whenLabelValue={quoteattr(label)}"
    if attribute.kind in ("choice", "flag"):
        values = attribute.values or ("true", "false")
        return f'<Choices {common} choice="single-radio" showInline="true">{"".join(f"<Choice value={quoteattr(v)}/>" for v in values)}</Choices>'
    hint = "3, >=12, <=40, ~100, 10-15, 0 or ?" if attribute.kind == "count" else "the same for all mentions of one event: i1, i2"
    return f'<TextArea {common} rows="1" maxSubmissions="1" editable="true" placeholder={quoteattr(hint)}/>'


def _roles(schema: Schema) -> list[str]:
    return [name for name in schema.names if any(name in label.arguments for label in schema.labels)]


def _colour(number: int, of: int) -> str:
    red, green, blue = hls_to_rgb(number / of, 0.6, 0.7)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
