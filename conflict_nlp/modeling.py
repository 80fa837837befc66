"""The model: one encoder, and heads for spans, links, incidents and attributes.

A B/I/O tagger a label proposes spans (labels may overlap); each proposed span is then scored as a whole beside all others of the window,
and linked. Proposing and then scoring follows the span-based extractors of Wadden et al. (2019, DyGIE++); the pair scorer is
biaffine as in Dozat and Manning (2017), with the distance between the two spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from conflict_nlp.adapters import Adapter, attach, digest, rest
from conflict_nlp.attention import fuse
from conflict_nlp.batching import BATCH_TOKENS
from conflict_nlp.decoding import WindowOutputs
from conflict_nlp.encoding import OVERLAP, WINDOW, AttributeSlot, attribute_slots
from conflict_nlp.heads import ClusterScorer, PairScorer, SpanScorer
from conflict_nlp.losses import GoldBatch, Logits, losses
from conflict_nlp.proposal import Candidates, propose
from conflict_nlp.schema import CONFLICT, Schema

LOSS_WEIGHTS = {"tags": 4.0, "spans": 1.0, "links": 1.0, "attributes": 0.5, "clusters": 1.0}
"""Tags, a mean over words, need the factor: with less the other heads drown them, and the tagger stays behind."""


class ConflictConfig(PreTrainedConfig):
    """What a :class:`ConflictModel` is made of.

    Args:
        encoder: the configuration of any ``AutoModel`` encoder, as a dict with its ``model_type``.
        encoder_name: where the encoder came from, a Hub id; for the record.
        schema: :meth:`conflict_nlp.schema.Schema.to_dict`.
        span_size: width of a span's representation.
        span_layers: transformer layers in which the spans of a window see one another.
        pair_size: width of the pair scorer.
        max_starts: span starts that are proposed in a window at most.
        window: tokens in a window at most, special tokens included.
        overlap: tokens that neighbouring windows share.
        thresholds: tuned decision thresholds, see :class:`conflict_nlp.decoding.Thresholds`.
        head_dropout: dropout of the heads, in training.
        loss_weights: what each loss of :func:`conflict_nlp.losses.losses` counts; those not named count as in ``LOSS_WEIGHTS``.
        adapter: :meth:`conflict_nlp.adapters.Adapter.to_dict`, if the encoder is frozen under an adapter and not saved with the model.
        encoder_digest: :func:`conflict_nlp.adapters.digest` of that encoder.
    """

    model_type = "conflict_nlp"

    def __init__(
        self,
        encoder: Mapping[str, Any] | None = None,
        encoder_name: str | None = None,
        schema: Mapping[str, Any] | None = None,
        span_size: int = 256,
        span_layers: int = 1,
        pair_size: int = 128,
        max_starts: int = 96,
        window: int = WINDOW,
        overlap: int = OVERLAP,
        thresholds: Mapping[str, Any] | None = None,
        head_dropout: float = 0.1,
        loss_weights: Mapping[str, float] | None = None,
        adapter: Mapping[str, Any] | None = None,
        encoder_digest: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.encoder = {k: v for k, v in (encoder or {"model_type": "bert"}).items() if k != "_name_or_path"}  # a folder of the machine that trained
        self.encoder_name = encoder_name
        self.schema = dict(schema or CONFLICT.to_dict())
        self.span_size = span_size
        self.span_layers = span_layers
        self.pair_size = pair_size
        self.max_starts = max_starts
        self.window = window
        self.overlap = overlap
        self.thresholds = dict(thresholds or {})
        self.head_dropout = head_dropout
        self.loss_weights = {**LOSS_WEIGHTS, **(loss_weights or {})}
        self.adapter = None if adapter is None else dict(adapter)
        self.encoder_digest = encoder_digest
        super().__init__(**kwargs)


@dataclass
class ConflictOutput(ModelOutput):
    """What the model says of a batch of windows.

    ``tag_logits`` [B, W, L, 3]; ``spans`` [B, S, 2], ``labels`` [B, S] and ``mask`` [B, S] the candidate spans; ``span_logits`` [B, S]
    whether a candidate is a span of its label; ``link_logits`` [B, S, S] whether the row takes the column as argument (``-inf`` where the
    schema does not allow it); ``attribute_logits`` [B, S, C] in the order of :func:`conflict_nlp.encoding.attribute_slots`;
    ``cluster_states`` [B, S, 64] for :meth:`ConflictModel.cluster_logits`; ``loss`` and ``losses`` where gold was given.
    """

    loss: Tensor | None = None
    tag_logits: Tensor | None = None
    spans: Tensor | None = None
    labels: Tensor | None = None
    mask: Tensor | None = None
    span_logits: Tensor | None = None
    link_logits: Tensor | None = None
    attribute_logits: Tensor | None = None
    cluster_states: Tensor | None = None
    losses: dict[str, Tensor] | None = None

    @property
    def candidates(self) -> Candidates:
        """What was scored; a model's own output has it."""
        return Candidates(self.spans, self.labels, self.mask)  # type: ignore[arg-type]

    @property
    def logits(self) -> Logits:
        """What was said of it."""
        return Logits(self.tag_logits, self.span_logits, self.link_logits, self.attribute_logits, self.cluster_states)  # type: ignore[arg-type]


class ConflictModel(PreTrainedModel):
    """One encoder pass over a batch of windows, and everything that the schema asks for.

    Make one with :meth:`from_encoder` to train it, or with ``from_pretrained`` from a folder or Hub id that holds a whole trained one;
    one that is saved as an adapter needs its encoder: :func:`conflict_nlp.load`.
    """

    config_class = ConflictConfig
    base_model_prefix = "conflict"
    _supports_sdpa = True
    threads = 1
    """Batches that it reads beside one another."""
    alone = False
    """Whether it reads each window for itself."""

    def __init__(self, config: ConflictConfig) -> None:
        super().__init__(config)
        encoder = AutoConfig.for_model(**config.encoder)
        limit = longest_window(encoder)
        if not isinstance(config.window, int) or config.window > limit:
            raise ValueError(f"window is {config.window!r}, and the encoder reads {limit} tokens at most")
        self.label_schema = Schema.from_dict(config.schema)
        self.encoder = AutoModel.from_config(encoder)
        fuse(self.encoder)
        if hasattr(self.encoder, "pooler"):
            self.encoder.pooler = None
        hidden = self.encoder.config.hidden_size
        labels = len(self.label_schema.names)
        self.slots: tuple[AttributeSlot, ...] = attribute_slots(self.label_schema)
        self.dropout = nn.Dropout(config.head_dropout)
        self.tagger = nn.Linear(hidden, 3 * labels)
        self.spans = SpanScorer(config, hidden, labels)
        self.links = PairScorer(config)
        self.attributes = nn.Linear(config.span_size, max(1, sum(s.size for s in self.slots)))
        self.clusters = ClusterScorer(config)
        names = self.label_schema.names
        self.takes = [[self.label_schema.takes(anchor, argument) for argument in names] for anchor in names]
        self.post_init()  # type: ignore[no-untyped-call]

    @classmethod
    def from_encoder(cls, encoder: str, schema: Schema = CONFLICT, encoder_settings: Mapping[str, Any] | None = None, **settings: Any) -> ConflictModel:
        """A model to be trained, over a pretrained encoder.

        Args:
            encoder: a folder or a Hub id.
            schema: what to label.
            encoder_settings: fields of the encoder's own configuration to change, dropout say.
            settings: fields of :class:`ConflictConfig`; the window is 320 tokens if the encoder reads as many, and a quarter of it overlaps. With
                ``adapter``, the encoder is frozen but for that.

        Raises:
            ValueError: the window is longer than what the encoder reads, or the adapter does not fit the encoder.
        """
        pretrained = AutoModel.from_pretrained(encoder, dtype=torch.float32, use_safetensors=True, **(encoder_settings or {}))
        window = settings.get("window", min(WINDOW, longest_window(pretrained.config)))
        defaults = {"encoder_name": encoder, "window": window, "overlap": window // 4}
        config = ConflictConfig(encoder=pretrained.config.to_dict(), schema=schema.to_dict(), **{**defaults, **settings})
        model = cls(config)
        if hasattr(pretrained, "pooler"):
            pretrained.pooler = None
        model.encoder.load_state_dict(pretrained.state_dict())
        with torch.no_grad():  # most words are outside: start there, so that few spans are proposed at first
            model.tagger.bias.view(-1, 3).copy_(torch.tensor([3.0, 0.0, 0.0]))
        if config.adapter is not None:
            config.encoder_digest = digest(model.encoder)
            attach(model.encoder, Adapter.from_dict(config.adapter))
        return model

    def train(self, mode: bool = True) -> ConflictModel:
        """As of any module, but that the layers below an adapter stay without dropout: they are fixed."""
        super().train(mode)
        if mode and self.config.adapter is not None:
            rest(self.encoder)
        return self

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        word_tokens: Tensor,
        word_mask: Tensor,
        gold: GoldBatch | None = None,
        states: Tensor | None = None,
        extra: Sequence[Candidates] = (),
    ) -> ConflictOutput:
        """Label a batch of windows.

        Args:
            input_ids: [B, T].
            attention_mask: [B, T]; ``None`` where nothing is padded.
            word_tokens: [B, W] position of each word's first token.
            word_mask: [B, W] which words are real.
            gold: in training.
            states: [B, T, H] the input of the encoder's layers instead of ``input_ids``, in training above frozen layers.
            extra: spans to score beside those that the tagger proposes, in distillation.
        """
        words = self.encode(input_ids, attention_mask, word_tokens, states)
        tag_logits = self.tag(words)
        own = () if gold is None else (Candidates(gold.spans, gold.labels, gold.mask),)
        with torch.no_grad():
            candidates = propose(tag_logits.softmax(-1), word_mask, self.config.max_starts, (*own, *extra))
        logits = self.score(words, tag_logits, word_mask, candidates)
        output = ConflictOutput(
            tag_logits=tag_logits,
            spans=candidates.spans,
            labels=candidates.labels,
            mask=candidates.mask,
            span_logits=logits.spans,
            link_logits=logits.links,
            attribute_logits=logits.attributes,
            cluster_states=logits.cluster_states,
        )
        if gold is not None:
            output.losses = losses(logits, candidates, gold, word_mask, self.slots, self.clusters)
            output.loss = self.weighed(output.losses)
        return output

    def encode(self, input_ids: Tensor, attention_mask: Tensor | None, word_tokens: Tensor, states: Tensor | None = None) -> Tensor:
        """What the encoder says of each word [B, W, H]; the arguments are those of :meth:`forward`."""
        inputs = {"input_ids": input_ids} if states is None else {"inputs_embeds": states}
        hidden = self.encoder(attention_mask=attention_mask, **inputs).last_hidden_state
        words: Tensor = hidden[torch.arange(hidden.shape[0], device=hidden.device).unsqueeze(1), word_tokens]
        return words

    def tag(self, words: Tensor) -> Tensor:
        """The tagger's logits [B, W, L, 3] of words [B, W, H]."""
        logits: Tensor = self.tagger(self.dropout(words)).float()
        return logits.view(*logits.shape[:-1], -1, 3)

    def score(self, words: Tensor, tag_logits: Tensor, word_mask: Tensor, candidates: Candidates) -> Logits:
        """All that the heads behind the tagger say of some candidate spans; shapes as of :meth:`forward`."""
        spans, span_logits = self.spans(words, tag_logits, word_mask, candidates)
        link_logits = self.links(spans, candidates).masked_fill(~self._allowed(candidates), float("-inf"))
        return Logits(tag_logits, span_logits, link_logits, self.attributes(spans).float(), self.clusters.project(spans).float())

    def weighed(self, losses: Mapping[str, Tensor]) -> Tensor:
        """One loss of all heads', each counted as the configuration says."""
        return torch.stack([self.config.loss_weights[head] * loss for head, loss in losses.items()]).sum()

    @property
    def tokens_at_once(self) -> int:
        """How many it reads best on its device."""
        return BATCH_TOKENS.get(self.device.type, BATCH_TOKENS["cuda"])

    @torch.inference_mode()
    def outputs(self, batch: Mapping[str, npt.NDArray[Any]], half: torch.dtype | None = None) -> WindowOutputs:
        """What the model says of a batch of windows as :func:`conflict_nlp.batching.padded` makes it, in half precision if one is named."""
        with nullcontext() if half is None else torch.autocast(self.device.type, half):  # not every torch has it for every device
            output = self(**{name: torch.from_numpy(array).to(self.device) for name, array in batch.items()})
        return WindowOutputs(*(output[field.name].cpu().numpy() for field in fields(WindowOutputs)))

    @torch.inference_mode()
    def cluster_scores(self, left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], distance: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Probabilities [N] that two mentions are of one event, from the ``cluster_states`` [N, 64] of both and their distance [N] in words."""
        arrays = (torch.from_numpy(array).to(self.device) for array in (left, right, distance))
        scores: npt.NDArray[np.float32] = self.cluster_logits(*arrays).sigmoid().cpu().numpy()
        return scores

    def cluster_logits(self, left: Tensor, right: Tensor, distance: Tensor) -> Tensor:
        """Whether two anchors mention one event: ``cluster_states`` [..., 64] of both and their distance in words [...] -> logits [...]."""
        logits: Tensor = self.clusters(left, right, distance)
        return logits

    def _allowed(self, candidates: Candidates) -> Tensor:
        takes = torch.tensor(self.takes, device=candidates.labels.device)
        allowed = takes[candidates.labels.unsqueeze(2), candidates.labels.unsqueeze(1)]
        # a span is not its own argument
        place = torch.arange(allowed.shape[1], device=allowed.device)
        itself = place.unsqueeze(1) == place
        return allowed & candidates.mask.unsqueeze(1) & candidates.mask.unsqueeze(2) & ~itself


def longest_window(encoder: PreTrainedConfig) -> int:
    """How many tokens an encoder reads."""
    positions: int = getattr(encoder, "max_position_embeddings", None) or 512
    # RoBERTa and its kin count positions from behind the padding's
    return positions - 2 * bool(encoder.pad_token_id)
