"""Choose the thresholds of a MUC-4 model by CEAF-REE, and write them into its folder.

python training/tune_muc4.py MODEL GOLD.jsonl [--encoder FOLDER]

The thresholds of the five roles and that of the clusters, one after the other, twice. GOLD.jsonl are documents in the format of GRIT or GTT that the
model was not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from muc4 import extracts, load
from refusing import refusing
from thresholds import CLUSTER_GRID, GRID, Readings, save

from conflict_nlp.decoding import Thresholds
from conflict_nlp.evaluation.ceaf import CeafRee, Extracts, ceaf_ree
from conflict_nlp.evaluation.ceaf_files import document_key, read_gold
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.muc4 import MUC4, texts

NEVER = 1.0  # of the cluster threshold: mentions are merged by their words alone


def main(
    model: Annotated[Path, typer.Argument(help="The folder of a model trained with configs/muc4.yaml.")],
    gold: Annotated[Path, typer.Argument(help="Documents, JSON Lines of the GRIT or GTT data.")],
    encoder: Annotated[str | None, typer.Option(help="The folder of the encoder, for a model that is an adapter.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
) -> None:
    """Tune, and print the score before and after."""
    with refusing():
        known = read_gold(gold)
        nlp = load(model, encoder, device)
        read = dict(texts(gold))
        readings = list(nlp.read(read.values()))
        ids = [document_key(id) for id in read]
        before = score(nlp, nlp.thresholds, ids, readings, known)
        best = tune(nlp, ids, readings, known)
        save(model, best)
    after = score(nlp, best, ids, readings, known)
    typer.echo(f"CEAF-REE {before.micro.f1:.2f} -> {after.micro.f1:.2f}; {', '.join(f'{role} {s.f1:.1f}' for role, s in after.roles.items())}")
    typer.echo(f"thresholds {best.to_dict()}")


def tune(nlp: Extractor, ids: Sequence[str], readings: Readings, gold: dict[str, Extracts]) -> Thresholds:
    """The thresholds with the best micro F1; of equals the one that was there, else the lowest."""
    best = replace(nlp.thresholds, spans={role: nlp.thresholds.spans.get(role, nlp.thresholds.span) for role in MUC4.names})

    def value(trial: Thresholds) -> float:
        return score(nlp, trial, ids, readings, gold).micro.f1

    for _ in range(2):
        best = max((best, *(replace(best, cluster=step) for step in (*CLUSTER_GRID, NEVER))), key=value)
        for role in MUC4.names:
            best = max((best, *(replace(best, spans={**best.spans, role: step}) for step in (*GRID, 0.8, 0.85, 0.9))), key=value)
    return best


def score(nlp: Extractor, thresholds: Thresholds, ids: Sequence[str], readings: Readings, gold: dict[str, Extracts]) -> CeafRee:
    """CEAF-REE of what was read, under some thresholds."""
    documents = (nlp.assemble(text, windows, thresholds) for text, windows in readings)
    return ceaf_ree(gold, {id: extracts(document) for id, document in zip(ids, documents, strict=True)})


if __name__ == "__main__":
    typer.run(main)
