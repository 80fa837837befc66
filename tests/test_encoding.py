import numpy as np
import pytest
from conftest import REPORT, make_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import documents, texts

from conflict_nlp.document import Document, Span
from conflict_nlp.encoding import CHUNK, IGNORE, Windower, attribute_slots, window_labels
from conflict_nlp.schema import CONFLICT

WINDOWER = Windower(make_tokenizer(), size=40, overlap=12)
NASTY = st.text(st.one_of(st.characters(), st.sampled_from(" \n\x00\ufeff\ud800\u0301a.,")), max_size=400)


def check(windower: Windower, text: str) -> None:
    windows = list(windower.windows(text))
    words: dict[int, tuple[int, int]] = {}
    decided: list[int] = []
    for window in windows:
        assert len(window.input_ids) <= windower.room + len(windower.prefix) + len(windower.suffix)
        assert (window.starts < window.ends).all()
        assert (np.diff(window.starts) > 0).all()
        for number, place in enumerate(zip(window.starts.tolist(), window.ends.tolist(), strict=True), window.first):
            assert words.setdefault(number, place) == place  # a word is the same in every window
            assert 0 <= place[0] < place[1] <= len(text)
        decided += range(*window.own)
        assert window.first <= window.own[0] < window.own[1] <= window.first + len(window.starts)
    assert decided == list(range(len(words)))  # every word belongs to exactly one window, in order


@given(NASTY)
def test_windows_cover_every_word_once(text):
    check(WINDOWER, text)


@given(texts())
def test_offsets_are_those_of_the_text_as_given(text):
    for window in WINDOWER.windows(text):
        for start, end in zip(window.starts.tolist(), window.ends.tolist(), strict=True):
            assert text[start:end].strip() == text[start:end]


def test_words_without_end_and_texts_without_blanks_are_read():
    for text in ("a" * 3 * CHUNK, "字" * (CHUNK + 7), " " * 3 * CHUNK + "raid", "raid," * CHUNK):
        check(WINDOWER, text)


def test_a_text_is_cut_the_same_however_it_is_chunked(monkeypatch):
    text = (REPORT + "\n") * 40
    whole = [(w.input_ids.tolist(), w.starts.tolist(), w.own) for w in WINDOWER.windows(text)]
    monkeypatch.setattr("conflict_nlp.encoding.CHUNK", 300)
    assert [(w.input_ids.tolist(), w.starts.tolist(), w.own) for w in WINDOWER.windows(text)] == whole
    check(WINDOWER, text)


@pytest.mark.parametrize(("text", "words"), [("Jose\u0301 in Gao", ["Jose\u0301", "in", "Gao"]), ("Pen\u0303araid", ["Pen\u0303araid"])])
def test_an_accent_of_its_own_belongs_to_its_word(text, words):
    (window,) = WINDOWER.windows(text)
    assert [text[start:end] for start, end in zip(window.starts, window.ends, strict=True)] == words
    span = Span("T1", "ATTACKER", 0, len(words[0]), words[0])
    assert window_labels(window, Document(text, (span,)), CONFLICT).spans.tolist() == [[0, 0]]


def test_a_report_that_names_special_tokens_means_the_words():
    (window,) = WINDOWER.windows("raid [SEP] in [PAD] Gao")
    assert sorted(set(window.input_ids.tolist()) & {0, 2, 3}) == [2, 3]
    assert (window.input_ids == 3).sum() == 1


def test_empty_and_blank_texts_have_no_windows():
    assert list(WINDOWER.windows("")) == []
    assert list(WINDOWER.windows(" \r\n\x00")) == []


def test_a_slow_tokenizer_and_a_small_window_are_refused(tokenizer):
    class Slow:
        is_fast = False

    with pytest.raises(ValueError, match="fast tokenizer"):
        Windower(Slow(), 40, 12)
    with pytest.raises(ValueError, match="too small"):
        Windower(tokenizer, 20, 12)


def test_a_byte_level_tokenizer_splits_words_at_punctuation():
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    letters = sorted(set(REPORT))
    trainer = trainers.UnigramTrainer(vocab_size=len(letters) + 20, special_tokens=["<pad>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator([REPORT] * 3, trainer)
    windower = Windower(PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>"), 60, 16)
    words = {REPORT[a:b] for w in windower.windows(REPORT) for a, b in zip(w.starts.tolist(), w.ends.tolist(), strict=True)}
    assert {"Saturday", ",", "civilians", ".", "12"} <= words
    check(windower, REPORT)


@settings(max_examples=60)
@given(documents(words=True, whole_attributes=True))
def test_gold_is_found_again_in_the_labels(document):
    windower = Windower(make_tokenizer(), size=200, overlap=12)
    windows = list(windower.windows(document.text))
    if len(windows) != 1:
        return
    labels = window_labels(windows[0], document, CONFLICT)
    places = list(zip(windows[0].starts.tolist(), windows[0].ends.tolist(), strict=True))
    seen = [s for s in document.spans if any(s.start < b and a < s.end for a, b in places) and places[0][0] <= s.start and s.end <= places[-1][1]]
    assert len(labels.spans) == len(seen)
    assert labels.links.sum() == sum({k.anchor, k.argument} <= {s.id for s in seen} for k in document.links)
    for (first, last), label in zip(labels.spans.tolist(), labels.labels.tolist(), strict=True):
        start, end = windows[0].starts[first], windows[0].ends[last]
        own = [s for s in document.spans if s.label == CONFLICT.names[label] and s.start < end and start < s.end]
        assert own
        if len(own) == 1:  # of those that overlap, B/I/O holds one
            assert labels.tags[first : last + 1, label].tolist() == [1] + [2] * (last - first)


def test_labels_of_a_report():
    text = "A raid killed 3 men."
    spans = [
        {"id": "a", "label": "ATTACK", "start": 2, "end": 6, "status": "actual", "incident": "i7"},
        {"id": "c", "label": "CASUALTY", "start": 14, "end": 19, "outcome": "killed", "count": "3", "subset": False},
        {"id": "t", "label": "TARGET", "start": 14, "end": 19},
    ]
    document = Document.from_dict({"text": text, "spans": spans, "links": [{"anchor": "a", "argument": "c"}]})
    (window,) = WINDOWER.windows(text)
    labels = window_labels(window, document, CONFLICT)
    assert labels.spans.tolist() == [[1, 1], [3, 4], [3, 4]]
    assert labels.links.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert labels.tags[:, CONFLICT.index("CASUALTY")].tolist() == [0, 0, 0, 1, 2, 0]
    assert labels.clusters.tolist() == [0, -1, -1]
    named = {(slot.label, slot.attribute.name): labels.attributes[:, i].tolist() for i, slot in enumerate(attribute_slots(CONFLICT))}
    assert named["ATTACK", "status"] == [0, IGNORE, IGNORE]
    assert named["CASUALTY", "outcome"] == [IGNORE, 0, IGNORE]
    assert named["CASUALTY", "count"] == [IGNORE, 0, IGNORE]
    assert named["CASUALTY", "subset"] == [IGNORE, 0, IGNORE]
