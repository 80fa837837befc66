"""Train a model on annotated documents and on what another model, its teacher, says of them and of texts without annotation.

accelerate launch training/distill.py configs/distilled.yaml --teacher MODEL [--teacher-encoder FOLDER_OR_HUB_ID] --texts TEXTS.jsonl
    --train A.jsonl [--train B.jsonl] --dev D.jsonl --output DIR [--encoder FOLDER_OR_HUB_ID] [--init MODEL]

TEXTS.jsonl has a ``text`` a line. An epoch takes as many annotated documents and texts as the configuration's ``distillation`` says, others each time; of
more texts than its ``pool``, or than all epochs take, a sample is used, and none that is annotated. DIR is as of training/train.py, and a run that was
stopped goes on in the same way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer
from leaks import warn
from lessons import Lessons
from refusing import refusing
from settings import DistillationSettings, SettingsError, read_settings
from teacher import Teacher
from train import Run, fingerprint, weights_of

from conflict_nlp.encoding import Windower
from conflict_nlp.formats import FormatError
from conflict_nlp.formats.jsonl import json_lines, read_all
from conflict_nlp.loading import load_pretrained


def main(
    config: Annotated[Path, typer.Argument(help="a YAML of configs/")],
    teacher: Annotated[str, typer.Option(help="the trained model to learn from: its name in the package, a folder, or a Hub id")],
    texts: Annotated[Path, typer.Option(help="texts without annotation, JSON Lines")],
    train: Annotated[list[Path], typer.Option(help="annotated documents, JSON Lines; may be given more than once")],
    dev: Annotated[Path, typer.Option(help="held-out documents that choose the epoch and the thresholds")],
    output: Annotated[Path, typer.Option(help="folder for the model")],
    teacher_encoder: Annotated[str | None, typer.Option(help="folder or Hub id of the teacher's encoder, if it is an adapter")] = None,
    encoder: Annotated[str | None, typer.Option(help="folder or Hub id, instead of the configuration's")] = None,
    init: Annotated[Path | None, typer.Option(help="a trained model's folder to go on from, instead of the bare encoder")] = None,
) -> None:
    """Train as training/train.py does, with a teacher beside the gold."""
    with refusing():
        settings = read_settings(config)
        documents, held_out = read_all(train, settings.schema), read_all([dev], settings.schema)
        how = settings.distillation or DistillationSettings()
        seen = {document.text for document in (*documents, *held_out)}
        bare = [text for text in texts_of(texts) if text not in seen]
        bare = random.Random(settings.training.seed).sample(bare, min(len(bare), how.pool or how.texts * settings.training.epochs))
        master, tokenizer = load_pretrained(teacher, teacher_encoder)
        if master.label_schema != settings.schema:
            raise SettingsError(f"{teacher} was trained with the schema {master.label_schema.name}, and {settings.schema.name} is another")
        mark = fingerprint(settings, [*train, dev, texts, *map(weights_of, filter(None, (teacher, init)))], encoder)
        run = Run(settings, encoder, output, mark, init)
        master.to(run.accelerator.device)  # type: ignore[arg-type]  # the stub of transformers takes no device
        if run.accelerator.mixed_precision == "bf16":
            master.encoder.to(torch.bfloat16)
        windower = Windower(tokenizer, master.config.window, master.config.overlap)
        said = output / f"teacher-{mark[:16]}.safetensors"  # a run that was stopped in its first epoch may have had another teacher
        lessons = Lessons(Teacher(master), windower, tokenizer.pad_token_id or 0, bare, how, said)
        if run.accelerator.is_main_process:
            warn(documents, held_out)
        run.fit(documents, held_out, lessons)
        for left in (lessons.file, *output.glob(f"{lessons.file.stem}.*.partial")):
            left.unlink(missing_ok=True)


def texts_of(path: Path) -> Iterator[str]:
    """The texts of a file; annotation that some of them have, by whatever schema, is passed over.

    Raises:
        FormatError: a line is no JSON object with a text.
    """
    for where, data, problem in json_lines(path):
        if data is None or not isinstance(data.get("text"), str):
            raise FormatError(f"{where}: {problem or 'there is no text'}")
        yield data["text"]


if __name__ == "__main__":
    typer.run(main)
