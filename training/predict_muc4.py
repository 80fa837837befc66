"""Predict the role fillers of MUC-4 documents, for ``conflict-nlp ceaf`` and the GRIT scorer.

python training/predict_muc4.py MODEL IN.jsonl OUT.json [--encoder FOLDER]

IN.jsonl has a document a line, with ``docid`` and ``doctext``; OUT.json becomes ``{"10001": {"pred_extracts": {"PerpInd": [["guerrillas"], …], …}}, …}``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from muc4 import extracts, load
from refusing import refusing
from tqdm import tqdm

from conflict_nlp.evaluation.ceaf_files import write_predictions
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.muc4 import texts


def main(
    model: Annotated[str, typer.Argument(help="A model trained with configs/muc4.yaml: its name in the package, its folder or its Hub id.")],
    documents: Annotated[Path, typer.Argument(metavar="IN.jsonl", help="Documents, JSON Lines with docid and doctext.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.json", help="The predictions.")],
    encoder: Annotated[str | None, typer.Option(help="The folder of the encoder, for a model that is an adapter.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
) -> None:
    """Label the documents, merge their mentions into entities, and write these."""
    with refusing():
        read = dict(texts(documents))
        if not read:
            raise FormatError(f"{documents}: the file is empty")
        nlp = load(model, encoder, device)
        labelled = tqdm(nlp.pipe(read.values()), total=len(read), desc="labelling", mininterval=5)
        write_predictions(output, {id: extracts(document) for id, document in zip(read, labelled, strict=True)})


if __name__ == "__main__":
    typer.run(main)
