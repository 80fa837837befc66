import itertools
import random

import pytest
from conftest import REPORT
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import texts

from conflict_nlp import Document, load
from conflict_nlp.extractor import LOOKAHEAD

TEXTS = [REPORT, "", "A raid.", REPORT * 7, " \n", "Gunmen fired rockets at Kismayo. " * 3, "💥 " + REPORT[:120], "nothing"]


def key(document):
    return [(s.label, s.start, s.end, tuple(sorted(s.attributes.items()))) for s in document.spans], [(k.anchor, k.argument) for k in document.links]


def test_a_random_model_finds_something(tiny):
    document = tiny(REPORT)
    assert len(document.spans) > 3
    assert document.links
    assert all(s.incident for s in document.labelled("ATTACK"))


def test_alone_in_a_batch_and_in_another_order_a_text_gives_the_same(tiny):
    alone = [tiny(text) for text in TEXTS]
    together = list(tiny.pipe(TEXTS * 8, batch_size=64))
    order = random.Random(3).sample(range(len(TEXTS)), len(TEXTS))
    shuffled = dict(zip(order, tiny.pipe([TEXTS[i] for i in order], batch_size=3), strict=True))
    for i, document in enumerate(alone):
        for other in (together[i], shuffled[i]):
            assert other.text == document.text
            assert key(other) == key(document)
            assert all(abs(a.score - b.score) < 1e-3 for a, b in zip(document.spans + document.links, other.spans + other.links, strict=True))


def test_pipe_streams_an_endless_iterable_in_bounded_look_ahead(tiny):
    drawn = itertools.count()
    endless = (f"Gunmen fired rockets {next(drawn)}." for _ in itertools.count())
    for number, document in enumerate(itertools.islice(tiny.pipe(endless, batch_size=4), 100)):
        assert document.text == f"Gunmen fired rockets {number}."
    assert next(drawn) <= 100 + 4 * LOOKAHEAD


def test_endless_empty_texts_come_out_too(tiny):
    assert [d.text for d in itertools.islice(tiny.pipe(itertools.repeat("")), 300)] == [""] * 300


def test_a_long_text_does_not_hold_back_more_windows_than_the_look_ahead(tiny, monkeypatch):
    sizes, start = [], tiny._reader.start

    def watched(batches):
        lot = list(batches)
        sizes.append(sum(map(len, lot)))
        return start(lot)

    monkeypatch.setattr(tiny._reader, "start", watched)
    document = next(tiny.pipe([REPORT * 60], batch_size=2))
    assert len(sizes) > 2
    assert max(sizes) <= 2 * LOOKAHEAD
    assert all(document.text[s.start : s.end] == s.text for s in document.spans)


def test_a_repeated_report_is_found_again_everywhere(tiny):
    document = tiny((REPORT + "\n") * 40)
    per_report = [0] * 40
    for span in document.spans:
        per_report[span.start // (len(REPORT) + 1)] += 1
    assert min(per_report) > 0


@settings(max_examples=40)
@given(st.one_of(texts(), st.text(st.one_of(st.characters(), st.sampled_from("\x00\ufeff\ud800\u0301\u202e\r\n אב💥")), max_size=300)))
def test_offsets_hold_for_any_text(text):
    document = EXTRACTOR(text)
    assert document.text == text
    assert all(0 <= s.start < s.end <= len(text) and text[s.start : s.end] == s.text for s in document.spans)
    assert Document.from_dict(document.to_dict()) == document


@pytest.fixture(autouse=True, scope="module")
def _extractor(tiny):
    global EXTRACTOR
    EXTRACTOR = tiny


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\x00", "\ufeff"])
def test_texts_without_words_are_empty_documents(tiny, text):
    assert tiny(text) == Document(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "the text is NoneType"), (b"raid", "bytes, not str: decode it first"), (3, "the text is int"), (["raid"], "list, not str: label many with pipe")],
)
def test_what_is_no_text_is_refused(tiny, text, words):
    with pytest.raises(TypeError, match=words):
        tiny(text)


def test_the_bad_text_of_a_stream_is_named(tiny):
    stream = tiny.pipe(["a", "b", 1.5])
    assert [next(stream).text, next(stream).text] == ["a", "b"]  # those before it are not lost
    with pytest.raises(TypeError, match="text 3 is float"):
        next(stream)


def test_what_comes_with_a_text_comes_with_its_document(tiny):
    given = [(f"{REPORT} {n}", n) for n in range(5)]
    found = list(tiny.pipe(iter(given), as_tuples=True))
    assert [n for _, n in found] == list(range(5))
    assert [document for document, _ in found] == list(tiny.pipe(text for text, _ in given))


def test_pipe_refuses_one_text_and_an_empty_batch(tiny):
    with pytest.raises(TypeError, match="call the extractor itself"):
        tiny.pipe("raid")
    with pytest.raises(ValueError, match="batch_size is 0"):
        tiny.pipe(["raid"], batch_size=0)


def test_thresholds_change_what_is_found(model_folder, tiny):
    strict = load(model_folder, device="cpu", thresholds={"span": 0.99})
    assert len(strict(REPORT).spans) < len(tiny(REPORT).spans)
    with pytest.raises(ValueError, match="no threshold 'VICTIM'"):
        load(model_folder, thresholds={"VICTIM": 0.5})
