"""Train a model on annotated documents.

accelerate launch training/train.py configs/small.yaml --train A.jsonl [--train B.jsonl] --dev D.jsonl --output DIR [--encoder FOLDER_OR_HUB_ID]
    [--init MODEL | --init-encoder MODEL]

With an ``adapter`` in the configuration the encoder stays as it is, and DIR gets the adapter and the heads alone; FOLDER_OR_HUB_ID is then
needed to load it. DIR gets the model of the best epoch with its tuned thresholds (``config.json``, ``model.safetensors``, the tokenizer), ``scores.json``,
``log.csv`` and its picture ``log.png``. Started again with the same DIR, a run that was stopped goes on from its last epoch.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from averaging import Averages
from cpu import quick_attention, quicken
from curves import draw
from distillation import Taught
from examples import LengthBatches, Pool, examples, loader
from frozen import FrozenLayers
from leaks import warn
from lessons import Lessons
from refusing import refusing
from settings import Settings, SettingsError, read_settings
from thresholds import tune_saved
from torch import nn
from tqdm import tqdm
from transformers import AutoTokenizer, get_cosine_schedule_with_warmup

from conflict_nlp.adapters import kept, lighten, undropped
from conflict_nlp.decoding import Thresholds
from conflict_nlp.document import Document
from conflict_nlp.encoding import Windower
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.jsonl import read_all
from conflict_nlp.loading import load_pretrained, locate
from conflict_nlp.modeling import ConflictModel
from conflict_nlp.precision import half_of

CHECKPOINTS, MARK = "checkpoints", "mark"
FREE = ("head_dropout", "loss_weights", "encoder_settings")
"""Fields of a configuration's model that need not be those of a model to go on from; the last are of a bare encoder."""


@dataclass
class Progress:
    """What a resumed run has to know; saved with every checkpoint."""

    mark: str
    epoch: int = 0
    best: float = -1.0

    def state_dict(self) -> dict[str, Any]:
        """For accelerate."""
        return {"epoch": self.epoch, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """For accelerate."""
        self.epoch, self.best = state["epoch"], state["best"]


def main(
    config: Annotated[Path, typer.Argument(help="a YAML of configs/")],
    train: Annotated[list[Path], typer.Option(help="annotated documents, JSON Lines; may be given more than once")],
    dev: Annotated[Path, typer.Option(help="held-out documents that choose the epoch and the thresholds")],
    output: Annotated[Path, typer.Option(help="folder for the model")],
    encoder: Annotated[str | None, typer.Option(help="folder or Hub id, instead of the configuration's")] = None,
    init: Annotated[Path | None, typer.Option(help="a trained model's folder to go on from, instead of the bare encoder")] = None,
    init_encoder: Annotated[Path | None, typer.Option(help="a trained model's folder, of any schema, whose encoder to start from, with new heads")] = None,
    epochs: Annotated[int | None, typer.Option(help="instead of the configuration's")] = None,
    seed: Annotated[int | None, typer.Option(help="instead of the configuration's")] = None,
) -> None:
    """Train, choose the best epoch on the held-out documents, tune thresholds, save."""
    with refusing():
        changes = {name: value for name, value in {"epochs": epochs, "seed": seed}.items() if value is not None}
        settings = read_settings(config, changes)
        documents = read_all([*train, dev], settings.schema)  # of all files, so that all that is wrong is said at once
        held_out = read_all([dev], settings.schema)
        training = documents[: -len(held_out)]
        if init is not None and init_encoder is not None:
            raise SettingsError("--init takes the heads too, and --init-encoder has new ones: give one of them")
        mark = fingerprint(settings, [*train, dev, *map(weights_of, filter(None, (init, init_encoder)))], encoder)
        run = Run(settings, encoder, output, f"{mark} the encoder alone" if init_encoder else mark, init)
        if init_encoder is not None:
            run.start_from(init_encoder)
    if run.accelerator.is_main_process:
        warn(training, held_out)
    run.fit(training, held_out)


class Run:
    """One training run and the folder it writes to.

    Args:
        settings: the configuration.
        encoder: the encoder's folder or Hub id, instead of the configuration's.
        output: the folder.
        mark: see :func:`fingerprint`.
        init: the folder of a trained model to go on from.

    Raises:
        SettingsError: the model to go on from has another schema or adapter, or the folder holds a run with another mark.
        OSError, ValueError: an encoder or model cannot be loaded.
    """

    def __init__(self, settings: Settings, encoder: str | None, output: Path, mark: str, init: Path | None = None) -> None:
        self.settings = settings
        self.output = output
        self.begun = begun(output, mark)
        # a batch without attributes or incidents leaves their heads without gradient
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(mixed_precision=precision(settings.training.precision), kwargs_handlers=[unused])
        set_seed(settings.training.seed)
        adapter = None if settings.adapter is None else settings.adapter.to_dict()
        self.encoder = (encoder or settings.encoder) if adapter else None
        if init is not None:
            theirs = locate(init)[1].get("adapter")
            if undropped(theirs) != undropped(adapter):
                raise SettingsError(f"{init} has the adapter {theirs}, and the configuration {adapter}")
            changes = {"adapter": adapter} | {name: value for name, value in settings.model.items() if name == "head_dropout"}
            self.model, self.tokenizer = load_pretrained(init, self.encoder, merged=False, changes=changes)
            if self.model.label_schema != settings.schema:
                raise SettingsError(f"{init} was trained with the schema {self.model.label_schema.name}, and {settings.schema.name} is another")
            if other := [name for name, value in settings.model.items() if name not in FREE and getattr(self.model.config, name) != value]:
                raise SettingsError(f"{init} has {other[0]} {getattr(self.model.config, other[0])}, and the configuration {settings.model[other[0]]}")
            self.model.config.loss_weights |= settings.model.get("loss_weights", {})
            self.model.config.thresholds = {}  # those it was tuned to would make its first epoch look better than the others
        else:
            source = encoder or settings.encoder
            self.tokenizer = AutoTokenizer.from_pretrained(source)
            own = {"encoder_name": settings.encoder, "adapter": adapter, **settings.model}
            self.model = ConflictModel.from_encoder(source, settings.schema, **own)
        self.windower = Windower(self.tokenizer, self.model.config.window, self.model.config.overlap)
        self.progress = Progress(mark)
        output.mkdir(parents=True, exist_ok=True)

    def start_from(self, model: Path) -> None:
        """Take the encoder, and the adapter if there is one, of a trained model of any schema.

        Raises:
            SettingsError: it is another encoder, or has another adapter.
            conflict_nlp.ModelError: the model cannot be loaded.
        """
        own, adapter = self.model.config, locate(model)[1].get("adapter")
        if undropped(adapter) != undropped(own.adapter):
            raise SettingsError(f"{model} has the adapter {adapter}, and the configuration {own.adapter}")
        donor, _ = load_pretrained(model, self.encoder, merged=False)
        theirs, state = donor.encoder.state_dict(), self.model.encoder.state_dict()
        if {name: tensor.shape for name, tensor in theirs.items()} != {name: tensor.shape for name, tensor in state.items()}:
            raise SettingsError(f"{model} has an encoder of another shape than {own.encoder_name}")
        self.model.encoder.load_state_dict(theirs)

    def fit(self, training: Sequence[Document], held_out: Sequence[Document], lessons: Lessons | None = None) -> None:
        """All epochs, then the thresholds.

        Args:
            training: annotated documents.
            held_out: annotated documents that choose the epoch and the thresholds.
            lessons: a teacher, and more texts to learn from it.
        """
        settings, accelerator = self.settings.training, self.accelerator
        data = examples(training, self.windower, self.settings.schema)
        pools: list[Pool] = []
        network: nn.Module = self.model
        if lessons is not None:
            annotated = len(data)
            with accelerator.autocast():
                data = lessons.examples(data, [document.text for document in training], self.windower, quiet=not accelerator.is_main_process)
            pools = lessons.pools(annotated, len(data))
            network = Taught(self.model, lessons.teacher, lessons.settings.weight)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad &= name.partition(".")[0] in settings.learn
        frozen = self._frozen()
        if frozen is not None:
            with accelerator.autocast():
                states = frozen.states([e.window for e in data], self.tokenizer.pad_token_id, quiet=not accelerator.is_main_process)
            data = [replace(e, states=s) for e, s in zip(data, states, strict=True)]
        batches = LengthBatches([len(e.window.input_ids) for e in data], settings.batch_size, settings.seed, pools, accelerator.num_processes)
        quicken(self.model, accelerator.device)
        optimizer = torch.optim.AdamW(parameter_groups(self.model, settings), fused=True)
        steps = settings.epochs * len(batches)
        schedule = get_cosine_schedule_with_warmup(optimizer, int(settings.warmup * steps), steps)
        model, optimizer, batches_loader, schedule = accelerator.prepare(network, optimizer, loader(data, batches, self.tokenizer.pad_token_id), schedule)
        ema = Averages(self.model, settings.ema)
        accelerator.register_for_checkpointing(self.progress, ema)
        accelerator.register_save_state_pre_hook(only_trained)
        self._resume()
        tokens = sum(len(e.window.input_ids) for e in data)
        accelerator.print(f"{len(training)} documents; {len(data)} windows in all, {tokens} tokens; {settings.epochs} epochs from {self.progress.epoch}")
        for epoch in range(self.progress.epoch, settings.epochs):
            batches.epoch = epoch
            started = time.perf_counter()
            with nullcontext() if frozen is None else frozen.left_out(), quick_attention(accelerator):
                tokens, losses = self._epoch(model, ema, optimizer, schedule, batches_loader, f"epoch {epoch + 1}/{settings.epochs}")
            seconds = time.perf_counter() - started
            self.progress.epoch = epoch + 1
            if accelerator.is_main_process:
                with ema.applied():
                    self._evaluate(held_out, {"epoch": epoch + 1, "seconds": round(seconds), "tokens_per_second": round(tokens / seconds), **losses})
            accelerator.wait_for_everyone()
            self._checkpoint()
        if accelerator.is_main_process:
            self._finish(held_out)

    def _frozen(self) -> FrozenLayers | None:
        """The layers below the adapter, if there are any; all of them where the encoder does not learn."""
        adapter, learns = self.settings.adapter, "encoder" in self.settings.training.learn
        if learns and adapter is None:
            return None
        encoder = self.model.encoder.to(self.accelerator.device)
        if learns and self.accelerator.mixed_precision == "bf16":  # else its weights are saved as they are
            lighten(encoder)
        above = adapter.layers if learns and adapter else 0
        return FrozenLayers(encoder, above) if hasattr(encoder, "embeddings") and above < encoder.config.num_hidden_layers else None

    def _epoch(self, model: Any, ema: Averages, optimizer: Any, schedule: Any, data: Any, name: str) -> tuple[int, dict[str, float]]:
        """All batches once: how many tokens they have, and the mean of each loss where there was one."""
        model.train()
        tokens, sums, counts = 0, Counter[str](), Counter[str]()
        for batch in tqdm(data, desc=name, disable=not self.accelerator.is_main_process, mininterval=5):
            output = model(**batch)
            self.accelerator.backward(output.loss)
            self.accelerator.clip_grad_norm_(ema.trained, self.settings.training.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            ema.update()
            for head, loss in output.losses.items():
                sums[head] += loss.item()
                counts[head] += 1
            tokens += int(batch["attention_mask"].sum()) * self.accelerator.num_processes
        return tokens, {f"loss_{head}": round(sums[head] / counts[head], 4) for head in sorted(sums)}

    def _evaluate(self, held_out: Sequence[Document], row: dict[str, Any]) -> None:
        extractor = Extractor(self.model.eval(), self.tokenizer)
        extractor.half = torch.bfloat16 if self.accelerator.mixed_precision == "bf16" else None
        named = [replace(p, id=g.id) for p, g in zip(extractor.pipe(d.text for d in held_out), held_out, strict=True)]
        result = scores(held_out, named, self.settings.schema)
        value = fmean(result[key] for key in ("span_exact_f1", "span_overlap_f1", "link_overlap_f1") if key in result)
        self._log({**row, "score": round(value, 2), **{k: round(v, 2) for k, v in result.items() if k.endswith("_f1") or k.endswith("_accuracy")}})
        if value > self.progress.best:
            self.progress.best = value
            self._save(self.model, Thresholds())

    def _finish(self, held_out: Sequence[Document]) -> None:
        model, _ = load_pretrained(self.output, self.encoder)
        extractor = Extractor(model.eval().to(self.accelerator.device), self.tokenizer)  # type: ignore[arg-type]
        result = tune_saved(self.output, extractor, held_out)
        draw(self.output / "log.csv", self.output / "log.png")
        (self.output / "scores.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(json.dumps({k: v for k, v in result.items() if k.endswith("_f1") or k.endswith("_accuracy")}, indent=1))

    def _save(self, model: ConflictModel, thresholds: Thresholds) -> None:
        """The model in half precision, its tokenizer and thresholds; written beside, then moved over file by file."""
        beside = self.output / ".saving"
        model.config.thresholds = thresholds.to_dict()
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in kept(model).items()}
        model.save_pretrained(beside, state_dict=state)
        self.tokenizer.save_pretrained(beside)
        model.config.dtype = "float16"  # the model's own is what it computes in, and save_pretrained writes that
        model.config.save_pretrained(beside)
        for file in beside.iterdir():
            file.replace(self.output / file.name)
        beside.rmdir()

    def _checkpoint(self) -> None:
        partial, done = self.output / CHECKPOINTS / ".partial", self.output / CHECKPOINTS / f"epoch-{self.progress.epoch:03d}"
        self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            (partial / MARK).write_text(self.progress.mark)
            partial.rename(done)
            for old in done.parent.glob("epoch-*"):
                if old != done:
                    shutil.rmtree(old)

    def _resume(self) -> None:
        log = self.output / "log.csv"
        if self.begun is None:
            if self.accelerator.is_main_process:
                log.unlink(missing_ok=True)  # of a run that was killed before it was saved
            return
        self.accelerator.load_state(str(self.begun), strict=False)  # frozen weights are not in it
        if self.accelerator.is_main_process and log.exists():  # a run that was killed after an epoch was logged, and before it was saved, does it again
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines[1:] if int(line.split(",")[0]) <= self.progress.epoch]
            log.write_text("".join([*lines[:1], *kept]), encoding="utf-8")

    def _log(self, row: dict[str, Any]) -> None:
        path = self.output / "log.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        told = ("epoch", "seconds", "score", "span_exact_f1", "span_overlap_f1", "link_overlap_f1", "incident_pair_f1")
        print(", ".join(f"{k} {row[k]}" for k in told if k in row))


def parameter_groups(model: ConflictModel, settings: Any) -> list[dict[str, Any]]:
    """The encoder and the heads with a learning rate each; no weight decay on biases and norms."""
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "lr": settings.encoder_lr if encoder else settings.head_lr, "weight_decay": settings.weight_decay if matrix else 0.0}
        for (encoder, matrix), parameters in groups.items()
    ]


def begun(output: Path, mark: str) -> Path | None:
    """The last checkpoint of a run that was stopped, if there is one.

    Raises:
        SettingsError: it is another run's.
    """
    found = sorted((output / CHECKPOINTS).glob("epoch-*"))
    if not found:
        return None
    if not (found[-1] / MARK).is_file() or (found[-1] / MARK).read_text() != mark:
        raise SettingsError(f"{output} holds a run with other settings or data: name another --output, or remove it")
    return found[-1]


def only_trained(models: list[Any], weights: list[dict[str, Any]], folder: str) -> None:
    """Take frozen weights out of what accelerate is about to save."""
    for model, state in zip(models, weights, strict=True):
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                state.pop(name, None)


def precision(setting: str) -> str:
    """``bf16`` where the device computes in it, for ``auto``."""
    if setting != "auto":
        return setting
    return "bf16" if half_of(torch.device("cuda" if torch.cuda.is_available() else "cpu")) == torch.bfloat16 else "no"


def fingerprint(settings: Settings, files: Sequence[Path], encoder: str | None = None) -> str:
    """A hash of what a run depends on, so that it is not resumed with anything else: its settings, the files that it reads, and the name of its encoder."""
    digest = hashlib.sha256(repr((settings, encoder)).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def weights_of(model: str | Path) -> Path:
    """The file of a trained model's weights.

    Raises:
        conflict_nlp.ModelError: there is no such model.
    """
    return locate(model)[0] / "model.safetensors"


if __name__ == "__main__":
    typer.run(main)
