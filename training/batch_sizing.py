"""Write the section "Sizing" of docs/batch.md from the stored measurements of batch jobs.

python training/batch_sizing.py

``training/results/batch.json`` (of ``training/benchmark.py batch``) -> what stands between the marks in ``docs/batch.md``. A test renders it anew and compares.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conflict_nlp.formats.files import replacing

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "training" / "results" / "batch.json"
PAGE = ROOT / "docs" / "batch.md"
BEGIN, END = "<!-- sizing: written by training/batch_sizing.py -->", "<!-- end of sizing -->"
REPORTS = 10_000_000
NIGHT = 12  # hours
NOT_YET = "Not measured yet: `python training/benchmark.py batch --json training/results/batch.json`, then `python training/batch_sizing.py`."


def main() -> None:
    """Write the section anew."""
    page = with_sizing(PAGE.read_text(encoding="utf-8"), RESULTS)
    with replacing(PAGE) as file:
        file.write(page.encode())


def with_sizing(page: str, results: Path) -> str:
    """The page with the section that the results make.

    Raises:
        ValueError: the page lacks the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}")
    section = render(json.loads(results.read_text(encoding="utf-8"))) if results.exists() else NOT_YET
    return f"{before}{BEGIN}\n\n{section}\n\n{END}{after}"


def render(results: Mapping[str, Any]) -> str:
    """The section, in Markdown."""
    speed, sizes, machine = results["speed"], results["sizes"], results["machine"]
    words, tokens = (speed[0][f"{unit}_per_document"] for unit in ("words", "tokens"))
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gigabytes']:.0f} GB of memory"
    packages = ", ".join(f"{name} {version}" for name, version in results["versions"].items() if name != "conflict-nlp")
    parts = [
        f"Measured with `{results['command']}` on {where} ({packages}).",
        f"Reports of {words:.0f} words ({tokens:.0f} tokens) on average, and {REPORTS:,} of them by arithmetic, {REPORTS:,} / documents a second:",
        _table(["engine, workers × threads", "documents a second", "hours", f"such machines for a night of {NIGHT} hours"], map(_speed_row, speed)),
    ]
    per_report = max(m["output_megabytes"] / m["documents"] for m in speed)
    parts.append(f"Their Parquet parts would take about {per_report * REPORTS / 1000:,.0f} GB ({1000 * per_report:.1f} KB a report).")
    if sizes:
        parts.append(f"Time a document and memory over the size of the input (documents of {sizes[0]['words_per_document']:.0f} words):")
        parts.append(_table(["documents", "milliseconds a document", f"peak memory, MB ({sizes[0]['memory']})"], map(_size_row, sizes)))
    return "\n\n".join(parts)


def _speed_row(measured: Mapping[str, Any]) -> list[str]:
    hours = REPORTS / measured["documents_per_second"] / 3600
    setup = measured["setup"]
    named = f"{setup['engine']}, {setup['workers']} × {setup['threads']}"
    return [named, f"{measured['documents_per_second']:.1f}", f"{hours:,.0f}", str(math.ceil(hours / NIGHT))]


def _size_row(measured: Mapping[str, Any]) -> list[str]:
    return [f"{measured['documents']:,}", f"{1000 / measured['documents_per_second']:.1f}", f"{measured['peak_megabytes']:,.0f}"]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---", *["---:"] * (len(header) - 1)], *rows])


if __name__ == "__main__":
    main()
