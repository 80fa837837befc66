"""A plain token classifier, as the transformers example trains one: one B/I/O tag a word over all labels together, so that no two spans overlap.

Follows ``examples/pytorch/token-classification`` of transformers: the first token of a word has its tag and the others none, ``Trainer`` trains, and
``pipeline("token-classification")`` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings import TrainingSettings
from train import precision
from transformers import AutoModelForTokenClassification, AutoTokenizer, DataCollatorForTokenClassification, Trainer, TrainingArguments, pipeline
from transformers.trainer_utils import get_last_checkpoint

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.base import text_order
from conflict_nlp.loading import resolve_device
from conflict_nlp.schema import Schema

UNTAGGED = -100  # what the loss leaves out


@dataclass(frozen=True)
class Windows:
    """The longest input in tokens, special ones included, and how many tokens two windows of a longer text share."""

    size: int
    overlap: int


def flat(spans: Sequence[Span]) -> list[Span]:
    """Spans without those that overlap an earlier one: the first wins, of those that begin together the longest."""
    kept: list[Span] = []
    for span in sorted(spans, key=text_order):
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return kept


def tags_of(schema: Schema) -> list[str]:
    """``O``, and ``B-`` and ``I-`` of every label."""
    return ["O", *(f"{mark}-{name}" for name in schema.names for mark in "BI")]


def rows(document: Document, tokenizer: Any, tags: Sequence[str], windows: Windows) -> Iterator[dict[str, list[int]]]:
    """A document's windows as the collator wants them: ``input_ids``, ``attention_mask`` and ``labels``."""
    options = {"truncation": True, "max_length": windows.size, "stride": windows.overlap, "return_overflowing_tokens": True}
    encoded = tokenizer(document.text, return_offsets_mapping=True, **options)
    spans = flat(document.spans)
    for number, offsets in enumerate(encoded["offset_mapping"]):
        words = encoded.word_ids(number)
        first = [word is not None and word != before for word, before in zip(words, [None, *words], strict=False)]
        labels = [tags.index(_tag(spans, *place)) if begins else UNTAGGED for place, begins in zip(offsets, first, strict=True)]
        yield {"input_ids": encoded["input_ids"][number], "attention_mask": encoded["attention_mask"][number], "labels": labels}


def _tag(spans: Sequence[Span], start: int, end: int) -> str:
    span = next((s for s in spans if s.start < end and start < s.end), None)
    return "O" if span is None else f"{'B' if start <= span.start else 'I'}-{span.label}"


def fit(documents: Sequence[Document], encoder: str, schema: Schema, settings: TrainingSettings, windows: Windows, output: Path) -> float | None:
    """Fine-tune an encoder and save it with its tokenizer; a run that was stopped goes on from its last epoch.

    Returns:
        The seconds that it took, or ``None`` where it went on from a checkpoint.

    Raises:
        OSError: the encoder is not there.
    """
    tags = tags_of(schema)
    tokenizer = AutoTokenizer.from_pretrained(encoder, model_max_length=windows.size)
    names = {"id2label": dict(enumerate(tags)), "label2id": {tag: n for n, tag in enumerate(tags)}}
    model = AutoModelForTokenClassification.from_pretrained(encoder, num_labels=len(tags), use_safetensors=True, **names)
    arguments = TrainingArguments(
        output_dir=str(output),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.encoder_lr,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup,  # below 1 it is a share of all steps
        use_cpu=resolve_device("auto").type == "cpu",
        bf16=precision(settings.precision) == "bf16",
        train_sampling_strategy="group_by_length",
        save_strategy="epoch",
        save_total_limit=1,
        seed=settings.seed,
    )
    data: Any = [row for document in documents for row in rows(document, tokenizer, tags, windows)]
    trainer = Trainer(model, arguments, DataCollatorForTokenClassification(tokenizer), data, processing_class=tokenizer)
    last = get_last_checkpoint(str(output)) if output.is_dir() else None
    seconds: float = trainer.train(resume_from_checkpoint=last).metrics["train_runtime"]
    trainer.save_model()
    return None if last else seconds


def predict(folder: Path, documents: Sequence[Document], windows: Windows) -> list[Document]:
    """What a saved token classifier finds in the texts of documents, under their ids."""
    read = pipeline("token-classification", model=str(folder), aggregation_strategy="first", stride=windows.overlap, device=resolve_device("auto"))
    full = [document for document in documents if document.text.strip()]
    found = {id(document): entities for document, entities in zip(full, read([d.text for d in full], batch_size=16), strict=True)}
    return [_document(document, found.get(id(document), [])) for document in documents]


def _document(document: Document, entities: Sequence[dict[str, Any]]) -> Document:
    text = document.text
    places = [(e["entity_group"], int(e["start"]), int(e["end"]), float(e["score"])) for e in entities]
    spans = (Span(f"T{n}", label, start, end, text[start:end], {}, round(score, 4)) for n, (label, start, end, score) in enumerate(places, 1))
    return Document(text, tuple(spans), (), document.id)
