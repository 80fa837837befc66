import json

import pytest
import torch
from conftest import REPORT
from safetensors import safe_open

from conflict_nlp.collation import collate, collate_gold
from conflict_nlp.document import Document
from conflict_nlp.encoding import Windower, window_labels
from conflict_nlp.heads import DISTANCE_BUCKETS, bucket
from conflict_nlp.losses import match_gold
from conflict_nlp.modeling import ConflictModel
from conflict_nlp.proposal import Candidates
from conflict_nlp.schema import CONFLICT, Attribute, Label, Schema


def document() -> Document:
    def span(id, label, words, **attributes):
        start = REPORT.index(words)
        return {"id": id, "label": label, "start": start, "end": start + len(words), **attributes}

    spans = [
        span("T1", "ATTACK", "ambushed", status="actual", incident="i1"),
        span("T2", "ATTACKER", "Gunmen"),
        span("T3", "CASUALTY", "at least 12 soldiers", outcome="killed", count=">=12", subset=False),
        span("T4", "CLAIM", "violation of its sovereignty", kind="violation"),
        span("T5", "CLAIMANT", "The ministry"),
        span("T6", "ATTACK", "raid", status="actual", incident="i1"),
        span("T7", "ATTACK", "fired rockets", status="actual", incident="i2"),
    ]
    pairs = [("T1", "T2"), ("T1", "T3"), ("T4", "T5"), ("T4", "T6")]
    return Document.from_dict({"text": REPORT, "spans": spans, "links": [{"anchor": a, "argument": b} for a, b in pairs]})


def batch(tokenizer, schema=CONFLICT, texts=(REPORT,)):
    windower = Windower(tokenizer, 160, 16)
    windows = [w for text in texts for w in windower.windows(text)]
    return windows, collate(windows, tokenizer.pad_token_id), collate_gold([window_labels(w, document(), schema) for w in windows])


def test_a_small_model_learns_a_report_by_heart(encoder_folder, tokenizer):
    torch.manual_seed(0)
    model = ConflictModel.from_encoder(str(encoder_folder), span_size=48, pair_size=24, head_dropout=0.0)
    _, inputs, gold = batch(tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    first = None
    for _ in range(90):
        output = model(**inputs, gold=gold)
        first = first or output.loss.item()
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert set(output.losses) == {"tags", "spans", "links", "attributes", "clusters"}
    assert output.loss.item() < 0.1 * first
    from conflict_nlp.extractor import Extractor

    found = Extractor(model.eval(), tokenizer)(REPORT)
    expected = document()
    assert [(s.label, s.start, s.end, dict(s.attributes)) for s in found.spans] == [
        (s.label, s.start, s.end, dict(s.attributes)) for s in sorted(expected.spans, key=lambda s: s.start)
    ]
    by_id = {s.id: s for s in found.spans}
    assert {(by_id[k.anchor].text, by_id[k.argument].text) for k in found.links} == {
        (expected.span(k.anchor).text, expected.span(k.argument).text) for k in expected.links
    }


def test_links_are_scored_only_where_the_schema_allows(tiny, tokenizer):
    _, inputs, _ = batch(tokenizer)
    with torch.inference_mode():
        output = tiny.model(**inputs)
    labels = output.labels[0].tolist()
    for i, a in enumerate(labels):
        for j, b in enumerate(labels):
            allowed = CONFLICT.takes(CONFLICT.names[a], CONFLICT.names[b])
            assert (output.link_logits[0, i, j] > float("-inf")) == allowed


def test_padding_changes_nothing(tiny, tokenizer):
    windows, _, _ = batch(tokenizer, texts=(REPORT, "A raid.", REPORT[:90]))
    with torch.inference_mode():
        together = tiny.model(**collate(windows, 0))
        for row, window in enumerate(windows):
            alone = tiny.model(**collate([window], 0))
            size = alone.spans.shape[1]
            assert together.mask[row].sum() == size
            torch.testing.assert_close(together.span_logits[row, :size], alone.span_logits[0], atol=1e-3, rtol=0)
            torch.testing.assert_close(together.link_logits[row, :size, :size], alone.link_logits[0], atol=1e-3, rtol=0)


def test_a_batch_in_which_nothing_is_proposed_has_a_loss(encoder_folder, tokenizer):
    model = ConflictModel.from_encoder(str(encoder_folder), span_size=32, pair_size=16)
    with torch.no_grad():
        model.tagger.weight.zero_()
        model.tagger.bias.view(-1, 3).copy_(torch.tensor([9.0, 0.0, 0.0]))
    windower = Windower(tokenizer, 64, 16)
    windows = list(windower.windows("nothing happened here"))
    gold = collate_gold([window_labels(w, Document("nothing happened here"), CONFLICT) for w in windows])
    output = model(**collate(windows, 0), gold=gold)
    output.loss.backward()
    assert torch.isfinite(output.loss)
    assert not output.mask.any()


def test_saving_and_loading_keeps_everything_and_pickles_nothing(tiny, model_folder, tokenizer, tmp_path):
    tiny.model.save_pretrained(tmp_path)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert any(key.startswith("encoder.") for key in file.keys())  # noqa: SIM118
    again = ConflictModel.from_pretrained(tmp_path).eval()
    _, inputs, _ = batch(tokenizer)
    with torch.inference_mode():
        torch.testing.assert_close(again(**inputs).span_logits, tiny.model(**inputs).span_logits)
    assert Schema.from_dict(json.loads((tmp_path / "config.json").read_text())["schema"]) == CONFLICT


def test_another_schema_gives_another_model(encoder_folder, tokenizer):
    schema = Schema("protest", (Label("PROTEST", ("ORGANISER",), (Attribute("size", "count"),)), Label("ORGANISER")))
    model = ConflictModel.from_encoder(str(encoder_folder), schema, span_size=32, pair_size=16)
    windows = list(Windower(tokenizer, 160, 16).windows("Students marched."))
    assert model(**collate(windows, 0)).tag_logits.shape == (1, 3, 2, 3)


def test_a_window_longer_than_the_encoder_reads_is_refused(encoder_folder):
    with pytest.raises(ValueError, match="window is 320, and the encoder reads 160"):
        ConflictModel.from_encoder(str(encoder_folder), window=320)


def test_any_encoder_will_do(tokenizer, tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=64, max_position_embeddings=160)
    DistilBertModel(config).save_pretrained(tmp_path)
    model = ConflictModel.from_encoder(str(tmp_path), span_size=32, pair_size=16)
    _, inputs, gold = batch(tokenizer)
    assert torch.isfinite(model(**inputs, gold=gold).loss)


def test_cluster_scores_are_symmetric(tiny):
    left, right, distance = torch.randn(5, 64), torch.randn(5, 64), torch.arange(5)
    torch.testing.assert_close(tiny.model.cluster_logits(left, right, distance), tiny.model.cluster_logits(right, left, -distance))


def test_distance_buckets_are_monotonic_and_signed():
    distances = torch.arange(-2000, 2001)
    buckets = bucket(distances)
    assert (buckets.diff() >= 0).all()
    assert (buckets.min(), buckets.max()) == (0, 2 * DISTANCE_BUCKETS)
    assert (bucket(-distances) + buckets == 2 * DISTANCE_BUCKETS).all()
    assert buckets[2000:2004].diff().tolist() == [1, 1, 1]


def test_a_slipped_boundary_is_matched_but_not_exact(tokenizer):
    _, _, gold = batch(tokenizer)
    first, last = gold.spans[0, 2].tolist()
    label = int(gold.labels[0, 2])
    spans = torch.tensor([[[first, last], [first, last - 1], [first, last], [last + 5, last + 6]]])
    labels = torch.tensor([[label, label, label + 1, label]])
    match, exact = match_gold(Candidates(spans, labels, torch.ones(1, 4, dtype=torch.bool)), gold)
    assert match.tolist() == [[2, 2, -1, -1]]
    assert exact.tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_gpu_finds_the_same(model_folder, tiny, device):
    if not (torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()):
        pytest.skip(f"no {device}")
    from conflict_nlp import load

    there = load(model_folder, device=device, thresholds={"span": 0.45, "link": 0.45, "only_link": 0.2})
    assert [(s.label, s.start, s.end) for s in there(REPORT).spans] == [(s.label, s.start, s.end) for s in tiny(REPORT).spans]
