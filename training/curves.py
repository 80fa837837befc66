"""A training log as a picture: the losses, and the scores on the held-out documents, over the epochs."""

from __future__ import annotations

import csv
from pathlib import Path

from conflict_nlp.formats.files import replacing

LOSS = "loss_"
SCORES = ("span_exact_f1", "span_overlap_f1", "link_overlap_f1", "incident_pair_f1")


def draw(log: Path, picture: Path) -> None:
    """Draw a run's ``log.csv`` into a PNG.

    Args:
        log: as ``training/train.py`` writes it, a row an epoch.
        picture: where to; a file that is there is replaced.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) for row in rows]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for panel, names, title in (
        (losses, [name for name in rows[0] if name.startswith(LOSS)], "loss, each as a share of its first"),
        (scores, [name for name in SCORES if name in rows[0]], "F1 on the held-out documents, thresholds not tuned"),
    ):
        for name in names:
            values = [float(row[name]) for row in rows]
            if panel is losses:
                values = [value / (values[0] or 1) for value in values]  # heads whose losses differ tenfold
            panel.plot(epochs, values, marker="o", label=name.removeprefix(LOSS).replace("_", " "))
        panel.set(title=title, xlabel="epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.legend(fontsize="small")
        panel.grid(alpha=0.3)
    with replacing(picture) as file:
        figure.savefig(file, dpi=150, format="png")
