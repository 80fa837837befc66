"""Write a model's card from its stored results and its description.

python training/model_card.py small

``model_cards/results/small.json`` (of ``training/evaluate_model.py``) and ``model_cards/small.yaml`` (written by hand) -> ``model_cards/small.md``, through
``training/model_card_template.md``; for a cross-validation, ``model_cards/results/re3d_cv.json`` (of ``training/cross_validate.py``). Where
``model_cards/results/baseline.json`` (of ``training/baseline.py``) has the same gold files, the card shows both, and what
``conflict-nlp ceaf --json model_cards/results/muc4_ceaf.json`` wrote of a model of role fillers. Every figure of a card comes from the
results; a test renders it anew and compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from card_description import CardError, Description, read_description
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from refusing import refusing

from conflict_nlp.evaluation.ceaf import ROLES
from conflict_nlp.formats.files import FormatError, decode, read_bytes, replacing
from conflict_nlp.formats.jsonl import load

CARDS = Path(__file__).parents[1] / "model_cards"
TEMPLATE = Path(__file__).with_name("model_card_template.md")
UNFINISHED = "TODO"
WEAK = 15.0  # points below the whole from which a slice is named
BESIDE = ("span_exact_f1", "span_exact_macro_f1", "span_overlap_f1", "span_overlap_macro_f1")
FOLDS = ("span_exact_f1", "span_exact_macro_f1", "span_overlap_f1", "link_exact_f1", "link_overlap_f1")
PARTS = ("precision", "recall", "f1")
METRICS = {"f1": "f1", "accuracy": "accuracy", "error": "mae"}


@dataclass(frozen=True)
class Shortfall:
    """A score that is far below that over all documents of the gold set, ``whole``, with its interval."""

    score: str
    value: float
    low: float
    high: float
    whole: float


@dataclass(frozen=True)
class WeakSlice:
    """Some documents of a gold set with scores far below the whole."""

    gold: str
    name: str
    documents: int
    shortfalls: tuple[Shortfall, ...]


def main(
    name: Annotated[str, typer.Argument(help="The model's name.")] = "small",
    folder: Annotated[Path, typer.Option(help="Where the cards are.")] = CARDS,
) -> None:
    """Write the card of a model."""
    with refusing():
        card = card_of(folder, name)
        with replacing(folder / f"{name}.md") as file:
            file.write(card.content.rstrip().encode() + b"\n")
    if number := card.content.count(UNFINISHED):
        typer.echo(f"note: {folder / f'{name}.yaml'} has {number} places marked {UNFINISHED} to fill in", err=True)


def card_of(folder: Path, name: str) -> ModelCard:
    """The card of a model, from the files of a folder of cards.

    Raises:
        CardError: the description or the results are missing or wrong.
    """
    baseline, ceaf = folder / "results" / "baseline.json", folder / "results" / f"{name}_ceaf.json"
    results, description = read_results(results_file(folder, name)), read_description(folder / f"{name}.yaml")
    return render(results, description, read_results(baseline) if baseline.is_file() else None, read_ceaf(ceaf) if ceaf.is_file() else None)


def results_file(folder: Path, name: str) -> Path:
    """Where a model's results are: those of its cross-validation if there are such."""
    crossed = folder / "results" / f"{name}_cv.json"
    return crossed if crossed.is_file() else folder / "results" / f"{name}.json"


def read_results(path: Path) -> dict[str, Any]:
    """The results that ``training/evaluate_model.py``, ``training/cross_validate.py`` or ``training/baseline.py`` stored.

    Raises:
        CardError: the file is missing or is no such file.
    """
    try:
        data = load(decode(read_bytes(path)))
    except FormatError as error:
        raise CardError(f"{error}: make it with training/evaluate_model.py, or training/cross_validate.py") from None
    except ValueError as error:
        raise CardError(f"{path}: {error}") from error
    if not isinstance(data, dict) or not {"model", "libraries", "bootstrap", "gold"} <= set(data) or not data["gold"]:
        raise CardError(f"{path} holds no results: make it with training/evaluate_model.py")
    return data


def read_ceaf(path: Path) -> dict[str, float]:
    """The scores that ``conflict-nlp ceaf --json`` stored.

    Raises:
        CardError: the file is no such file.
    """
    try:
        data = load(decode(read_bytes(path)))
    except ValueError as error:
        raise CardError(f"{path}: {error}") from error
    if not isinstance(data, dict) or not all(f"ceaf_ree_{part}{role}" in data for role in ("", *(f"_{r}" for r in ROLES)) for part in PARTS):
        raise CardError(f"{path} holds no scores of CEAF-REE: make it with conflict-nlp ceaf --json")
    return data


def render(
    results: Mapping[str, Any], description: Description, baseline: Mapping[str, Any] | None = None, ceaf: Mapping[str, float] | None = None
) -> ModelCard:
    """The card: metadata with a model index, and the template filled in.

    Raises:
        CardError: a gold set of the results is not described, or the baseline was scored on another file of its name.
    """
    if missing := [gold["name"] for gold in results["gold"] if gold["name"] not in description.gold]:
        raise CardError(f"the description says nothing of the gold set {', '.join(missing)}: add it under gold")
    data = ModelCardData(
        license=description.license,
        language=description.language,
        library_name="conflict-nlp",
        pipeline_tag="token-classification",
        base_model=description.encoder,
        tags=description.tags or None,
        metrics=sorted(set(METRICS.values())),
        model_name=description.title,
        eval_results=list(eval_results(results, description)),
    )
    card: ModelCard = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        d=description,
        results=results,
        weak=list(weak_slices(results)),
        trained=[source for source in description.data if source.passages],
        words=words,
        cell=cell,
        percent_keys=[key for key in results["gold"][0]["intervals"] if key.endswith(("_f1", "_accuracy")) and "_macro_" not in key],
        error_keys=[key for key in results["gold"][0]["intervals"] if key.endswith("_error")],
        slice_keys=list(dict.fromkeys(key for gold in results["gold"] for part in gold["slices"] for key in part["scores"])),
        weak_from=WEAK,
        baseline=baseline,
        beside=pairs(results, baseline) if baseline else [],
        beside_keys=BESIDE,
        ceaf=ceaf,
        ceaf_roles=ROLES,
        ceaf_parts=PARTS,
        fold_keys=[key for key in FOLDS if "folds" in results and key in results["folds"]["mean"]],
    )
    return card


def eval_results(results: Mapping[str, Any], description: Description) -> Iterator[EvalResult]:
    """The scores over all labels, for the model index."""
    for gold in results["gold"]:
        described = description.gold[gold["name"]]
        for key in gold["intervals"]:
            metric = METRICS.get(key.rpartition("_")[2])
            if metric is not None:  # those of one label end in its name
                yield EvalResult(
                    task_type="token-classification",
                    task_name="conflict event extraction",
                    dataset_type=f"conflict-nlp/{gold['name']}",
                    dataset_name=described.title,
                    dataset_split=described.split,
                    metric_type=metric,
                    metric_name=words(key),
                    metric_value=round(gold["scores"][key], 2),
                )


def pairs(results: Mapping[str, Any], baseline: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The gold sets that both were scored on, the model's figures first.

    Raises:
        CardError: a gold set has the same name in both, and is another file.
    """
    theirs = {gold["name"]: gold for gold in baseline["gold"]}
    found = [(gold, theirs[gold["name"]]) for gold in results["gold"] if gold["name"] in theirs]
    if other := [ours["name"] for ours, their in found if ours["sha256"] != their["sha256"]]:
        raise CardError(f"baseline.json was scored on another file as {', '.join(other)}: run training/baseline.py anew")
    return found


def weak_slices(results: Mapping[str, Any], points: float = WEAK) -> Iterator[WeakSlice]:
    """Every slice with a score more than some points below that of the whole gold set."""
    for gold in results["gold"]:
        for part in gold["slices"]:
            far = [key for key, value in part["scores"].items() if gold["scores"][key] - value > points]
            found = []
            for key in far:
                low, high = part["intervals"][key]
                found.append(Shortfall(words(key), part["scores"][key], low, high, gold["scores"][key]))
            if found:
                yield WeakSlice(gold["name"], f"{part['field']} {cell(part['value'])}", part["documents"], tuple(found))


def words(key: str) -> str:
    """A score's key for a reader: ``incident_bcubed_f1`` is ``incident B-cubed F1``."""
    return key.replace("_", " ").replace("bcubed", "B-cubed").replace(" f1", " F1").replace("macro F1", "macro-averaged F1")


def cell(value: object) -> str:
    """A value of the data as the cell of a Markdown table."""
    return " ".join(str(value).replace("|", "\\|").replace("<", "&lt;").split())


if __name__ == "__main__":
    typer.run(main)
