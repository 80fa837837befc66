"""``conflict-nlp evaluate`` and ``conflict-nlp ceaf``: score predictions from the command line."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from conflict_nlp.document import Document
    from conflict_nlp.extractor import Extractor
    from conflict_nlp.schema import Schema


def evaluate(
    gold: Annotated[Path, typer.Argument(help="Gold documents, JSON Lines.", dir_okay=False)],
    predictions: Annotated[Path | None, typer.Argument(help="Predicted documents, JSON Lines; or give --model.", dir_okay=False)] = None,
    model: Annotated[str | None, typer.Option(help="Predict with this model: a name, a folder or a Hub id.")] = None,
    encoder: Annotated[str | None, typer.Option(help="The folder of the encoder, for a --model that is an adapter.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file as JSON.")] = None,
    compare: Annotated[Path | None, typer.Option(help="Other predictions, for a paired bootstrap test.", dir_okay=False)] = None,
    slices: Annotated[list[str] | None, typer.Option("--slice", help="A field of the gold to slice by, or 'length'; may be repeated.")] = None,
    errors: Annotated[Path | None, typer.Option(help="Write every error to this HTML file.")] = None,
    schema: Annotated[Path | None, typer.Option(help="Schema, YAML or JSON; without, the model's or the one of conflict reports.", dir_okay=False)] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples; 0 for no intervals.", min=0)] = 1_000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    agreement: Annotated[bool, typer.Option("--agreement", help="Take both files as annotations, and print their agreement alone.")] = False,
) -> None:
    """Score predictions against gold, with 95 % bootstrap intervals over documents."""
    if (predictions is None) == (model is None):
        raise typer.BadParameter("give either a file of predictions or --model")
    if encoder is not None and model is None:
        raise typer.BadParameter("--encoder goes with --model")
    if agreement and (model or compare or slices or errors):
        raise typer.BadParameter("--agreement goes with two files and --json only")
    if compare is not None and not resamples:
        raise typer.BadParameter("--compare is a bootstrap test: it needs --resamples")
    from conflict_nlp.evaluation.report import Settings, report
    from conflict_nlp.formats.jsonl import read_all
    from conflict_nlp.formats.schema_file import read_schema

    with _one_line_errors():
        nlp = None if model is None else _load(model, encoder)
        labels = nlp.schema if nlp is not None and schema is None else read_schema(schema)
        documents = read_all([gold], labels)
        predicted = _predict(nlp, documents) if nlp is not None else read_all([path for path in (predictions,) if path is not None], labels)
        if agreement:
            _agreement(documents, predicted, labels, json)
            return
        other = read_all([compare], labels) if compare is not None else None
        result = report(documents, predicted, labels, other, Settings(tuple(slices or ()), resamples, seed))
        if json is not None:
            _write_json(json, result.to_dict())
        if errors is not None:
            _write_errors(errors, documents, predicted, labels)
        from conflict_nlp.evaluation.tables import render

        _print(render(result))


def ceaf(
    gold: Annotated[Path, typer.Argument(help="Gold, JSON Lines of the GRIT data.", dir_okay=False)],
    predictions: Annotated[Path, typer.Argument(help="Predictions, JSON of the GRIT scorer.", dir_okay=False)],
    json: Annotated[Path | None, typer.Option(help="Write the scores to this file as JSON.")] = None,
) -> None:
    """Score MUC-4 role-filler entities by CEAF-REE, as the GRIT scorer does."""
    from conflict_nlp.evaluation.ceaf import ceaf_ree
    from conflict_nlp.evaluation.ceaf_files import read_gold, read_predictions

    with _one_line_errors():
        result = ceaf_ree(read_gold(gold), read_predictions(predictions))
        if json is not None:
            _write_json(json, result.scores())
        for name, score in [*result.roles.items(), ("micro average", result.micro)]:
            typer.echo(f"{name:14} P {score.precision:6.2f}  R {score.recall:6.2f}  F1 {score.f1:6.2f}")


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What is wrong with the input, as a line on standard error and exit status 2."""
    try:
        yield
    except ValueError as error:
        # the errors of formats, models, schemas, documents, pairing and slices are all ValueErrors with a message for the user
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    except ModuleNotFoundError as error:
        typer.echo(f"error: {error.name} is not installed: pip install 'conflict-nlp[evaluate]'", err=True)
        raise typer.Exit(2) from error


def _load(model: str, encoder: str | None) -> Extractor:
    import conflict_nlp

    return conflict_nlp.load(model, encoder=encoder, runtime="torch")


def _predict(nlp: Extractor, gold: Sequence[Document]) -> list[Document]:
    """The model's documents under the ids of the gold."""
    return [replace(d, id=g.id) for g, d in zip(gold, nlp.pipe([g.text for g in gold]), strict=True)]


def _agreement(first: Sequence[Document], second: Sequence[Document], schema: Schema, json: Path | None) -> None:
    from conflict_nlp.evaluation.agreement import agreement

    scores = agreement(first, second, schema)
    if json is not None:
        _write_json(json, scores)
    for name, value in scores.items():
        typer.echo(f"{value:6.1f}  {name}")


def _write_errors(path: Path, gold: Sequence[Document], predicted: Sequence[Document], schema: Schema) -> None:
    from conflict_nlp.evaluation.alignment import align
    from conflict_nlp.evaluation.error_page import write_errors

    number = write_errors(path, align(gold, predicted, schema))
    typer.echo(f"{number} errors in {path}", err=True)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    from conflict_nlp.formats.files import replacing

    with replacing(path) as file:
        file.write(json_module.dumps(data, indent=2, allow_nan=False).encode() + b"\n")


def _print(table: Any) -> None:
    from rich.console import Console

    Console().print(table)
