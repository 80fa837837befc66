"""The errors as one HTML file that needs no network: passage, gold and prediction side by side, with filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from conflict_nlp.document import Span
from conflict_nlp.evaluation.alignment import Alignment
from conflict_nlp.evaluation.errors import KINDS, Error, errors
from conflict_nlp.formats.files import PathLike, replacing

_CONTEXT = 160
_CONTEXT_STEP = 20

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Errors</title><style>
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:80rem;padding:1rem;color:#111;background:#fff}
form{position:sticky;top:0;background:#fff;padding:.5rem 0;border-bottom:1px solid #888}
label{margin-right:1rem}article{border-bottom:1px solid #ccc;padding:.75rem 0}h2{font-size:1rem;margin:0}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:1.5rem}.sides p{margin:.25rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.sides h3{font-size:.8rem;margin:.25rem 0 0;color:#555}.gold mark{background:#c9ecc9}.predicted mark{background:#ffd9b8}
sub{font-size:.65em;font-weight:600;margin-left:.15em}.hidden{display:none}
@media(max-width:40rem){.sides{grid-template-columns:1fr}}
</style></head><body><h1>Errors</h1>
"""

_SCRIPT = """<script>
const kind=document.getElementById("kind"),label=document.getElementById("label"),number=document.getElementById("number");
function filter(){let shown=0;for(const a of document.querySelectorAll("article")){
const fits=(!kind.value||a.dataset.kind===kind.value)&&(!label.value||a.dataset.labels.split("\\t").includes(label.value));
a.classList.toggle("hidden",!fits);shown+=fits}number.textContent=shown}
kind.addEventListener("change",filter);label.addEventListener("change",filter);filter();
</script></body></html>
"""


def write_errors(path: PathLike, alignments: Sequence[Alignment]) -> int:
    """Write every error of the predictions, and return how many there are; the file appears when all is written.

    Raises:
        FormatError: the folder cannot be written to.
    """
    number = 0
    with replacing(path) as file:
        for part in _page(alignments):
            number += part.startswith("<article")
            # a lone surrogate has no UTF-8, and is shown as its escape
            file.write(part.encode("utf-8", "backslashreplace"))
    return number


def _page(alignments: Sequence[Alignment]) -> Iterator[str]:
    names = alignments[0].schema.names if alignments else ()
    yield _HEAD
    yield f"<form>{_select('kind', KINDS)}{_select('label', names)}<output id='number'></output> shown</form>\n"
    for alignment in alignments:
        for error in errors(alignment):
            yield _article(alignment, error)
    yield _SCRIPT


def _select(name: str, values: Sequence[str]) -> str:
    options = "".join(f"<option>{escape(v)}</option>" for v in values)
    return f"<label>{name} <select id='{name}' autocomplete='off'><option value=''>all</option>{options}</select></label>"


def _article(alignment: Alignment, error: Error) -> str:
    spans = (*error.gold, *error.predicted)
    text = alignment.gold.text
    excerpts = _excerpts(text, spans)
    note = f": {escape(error.note)}" if error.note else ""
    sides = "".join(
        f"<div class='{css}'><h3>{title}</h3><p>{' '.join(_marked(text, begin, end, side) for begin, end in excerpts)}</p></div>"
        for css, title, side in (("gold", "gold", error.gold), ("predicted", "prediction", error.predicted))
    )
    head = f"<h2>{escape(error.kind)} <small>{escape(' '.join(error.labels))}{note} · {escape(alignment.name)}</small></h2>"
    # a label may have blanks
    labels = escape("\t".join(error.labels))
    return f"<article data-kind=\"{escape(error.kind)}\" data-labels=\"{labels}\">{head}<div class='sides'>{sides}</div></article>\n"


def _excerpts(text: str, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The stretches around some spans, those that meet as one."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(_excerpt(text, s.start, s.end) for s in spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


def _excerpt(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch around some spans, from and to white space where there is some near."""
    begin, stop = max(0, start - _CONTEXT), min(len(text), end + _CONTEXT)
    if begin:
        begin = next((k + 1 for k in range(begin, min(begin + _CONTEXT_STEP, start)) if text[k].isspace()), begin)
    if stop < len(text):
        stop = next((k for k in range(stop, max(stop - _CONTEXT_STEP, end), -1) if text[k].isspace()), stop)
    return begin, stop


def _marked(text: str, begin: int, end: int, spans: Sequence[Span]) -> str:
    """An excerpt with those spans marked that lie in it, which may nest and overlap; each has its label where it ends."""
    spans = [s for s in spans if begin <= s.start and s.end <= end]
    cuts = sorted({begin, end, *(s.start for s in spans), *(s.end for s in spans)})
    parts = ["… " if begin else ""]
    for left, right in pairwise(cuts):
        piece = escape(text[left:right])
        if any(s.start <= left and right <= s.end for s in spans):
            labels = " ".join(s.label for s in spans if s.end == right)
            piece = f"<mark>{piece}{f'<sub>{escape(labels)}</sub>' if labels else ''}</mark>"
        parts.append(piece)
    parts.append(" …" if end < len(text) else "")
    return "".join(parts)
