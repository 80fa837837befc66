import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict_nlp.decoding import Thresholds, WindowReading, assemble
from conflict_nlp.encoding import COUNT_CLASSES, attribute_slots
from conflict_nlp.schema import CONFLICT, Label, Schema

SLOTS = attribute_slots(CONFLICT)
CLASSES = sum(s.size for s in SLOTS)


def reading(spans, links, own):
    """A window from ``(label, first word, last word, score)`` over a text of words of four letters and a blank, and ``{(i, j): score}``."""
    size = len(spans)
    words = np.array([s[1] for s in spans], dtype=np.int64)
    scores = np.zeros((size, size), dtype=np.float32)
    for pair, score in links.items():
        scores[pair] = score
    attributes = np.zeros((size, CLASSES), dtype=np.float32)
    for slot in SLOTS:
        attributes[:, slot.offset] = 1.0
    return WindowReading(
        starts=words * 5,
        ends=np.array([s[2] * 5 + 4 for s in spans], dtype=np.int64),
        words=words,
        owned=(words >= own[0]) & (words < own[1]),
        labels=np.array([CONFLICT.index(s[0]) for s in spans], dtype=np.int64),
        scores=np.array([s[3] for s in spans], dtype=np.float32),
        links=scores,
        attributes=attributes,
        states=np.ones((size, 64), dtype=np.float32),
    )


def always(left, right, distance):
    return np.ones(len(left), dtype=np.float32)


def decode(readings, **thresholds):
    return assemble("word " * 40, readings, CONFLICT, SLOTS, Thresholds(**thresholds), always)


def found(document):
    return [(s.label, s.start // 5, (s.end - 4) // 5) for s in document.spans]


def linked(document):
    return {(document.span(k.anchor).start // 5, document.span(k.argument).start // 5) for k in document.links}


def test_spans_and_links_pass_their_thresholds():
    spans = [("ATTACK", 0, 0, 0.9), ("TARGET", 2, 3, 0.6), ("TARGET", 5, 5, 0.4), ("TIME", 7, 7, 0.9)]
    window = reading(spans, {(0, 1): 0.7, (0, 2): 0.9, (0, 3): 0.6}, (0, 40))
    assert found(decode([window], span=0.5)) == [("ATTACK", 0, 0), ("TARGET", 2, 3), ("TIME", 7, 7)]
    assert found(decode([window], span=0.5, spans={"TARGET": 0.3})) == [("ATTACK", 0, 0), ("TARGET", 2, 3), ("TARGET", 5, 5), ("TIME", 7, 7)]
    assert linked(decode([window], span=0.5, link=0.65, only_link=0.65)) == {(0, 2)}


def test_an_argument_without_an_anchor_goes_and_its_likeliest_anchor_is_enough():
    spans = [("ATTACK", 0, 0, 0.9), ("ATTACK", 4, 4, 0.9), ("TARGET", 2, 2, 0.9), ("TARGET", 6, 6, 0.9)]
    window = reading(spans, {(0, 2): 0.35, (1, 2): 0.32, (0, 3): 0.1}, (0, 40))
    document = decode([window], link=0.5, only_link=0.3)
    assert found(document) == [("ATTACK", 0, 0), ("TARGET", 2, 2), ("ATTACK", 4, 4)]
    assert linked(document) == {(0, 2)}


def test_every_attack_has_an_incident_and_a_claim_may_take_it():
    window = reading([("ATTACK", 0, 0, 0.9), ("ATTACK", 4, 4, 0.9), ("CLAIM", 6, 9, 0.8)], {(2, 0): 0.9}, (0, 40))
    document = decode([window])
    assert [s.incident for s in document.labelled("ATTACK")] == ["i1", "i1"]
    assert document.claims[0].attacks[0].start == 0
    assert document.claims[0].kind == "violation"


def test_overlapping_windows_are_joined_without_doubles():
    left = reading([("ATTACK", 3, 3, 0.9), ("TARGET", 14, 16, 0.8), ("ATTACK", 17, 17, 0.7)], {(0, 1): 0.9}, (0, 15))
    right = reading([("TARGET", 14, 16, 0.6), ("ATTACK", 17, 17, 0.9), ("TIME", 20, 20, 0.9)], {(1, 0): 0.8, (1, 2): 0.8}, (15, 40))
    document = decode([left, right])
    assert found(document) == [("ATTACK", 3, 3), ("TARGET", 14, 16), ("ATTACK", 17, 17), ("TIME", 20, 20)]
    assert linked(document) == {(3, 14), (17, 14), (17, 20)}
    assert document.spans[1].score == pytest.approx(0.8)


def test_two_readings_of_one_span_at_a_border_leave_the_likelier():
    left = reading([("ATTACK", 3, 3, 0.9), ("TARGET", 14, 16, 0.6)], {(0, 1): 0.9}, (0, 15))
    right = reading([("TARGET", 15, 16, 0.8), ("ATTACK", 18, 18, 0.9)], {(1, 0): 0.9}, (15, 40))
    document = decode([left, right])
    assert found(document) == [("ATTACK", 3, 3), ("TARGET", 15, 16), ("ATTACK", 18, 18)]
    assert linked(document) == {(3, 15), (18, 15)}


def test_an_argument_that_only_the_other_window_links_is_kept():
    left = reading([("ATTACK", 12, 12, 0.9), ("TIME", 17, 17, 0.9)], {(0, 1): 0.9}, (0, 15))
    right = reading([("TIME", 17, 17, 0.9)], {}, (15, 40))  # its anchor lies before this window
    document = decode([left, right])
    assert found(document) == [("ATTACK", 12, 12), ("TIME", 17, 17)]
    assert linked(document) == {(12, 17)}


def test_an_attack_that_only_the_other_window_sees_needs_a_sure_link():
    left = reading([("CLAIM", 12, 13, 0.9), ("ATTACK", 17, 17, 0.6)], {(0, 1): 0.4}, (0, 15))
    right = reading([("TIME", 17, 17, 0.1)], {}, (15, 40))
    assert found(decode([left, right], link=0.5, only_link=0.3)) == [("CLAIM", 12, 13)]
    assert linked(decode([left, right], link=0.35, only_link=0.3)) == {(12, 17)}


def test_a_weak_link_is_taken_only_where_no_window_has_a_strong_one():
    left = reading([("ATTACK", 3, 3, 0.9), ("TARGET", 17, 17, 0.9)], {(0, 1): 0.35}, (0, 15))
    right = reading([("TARGET", 17, 17, 0.9), ("ATTACK", 20, 20, 0.9)], {(1, 0): 0.95}, (15, 40))
    assert linked(decode([left, right])) == {(20, 17)}
    assert linked(decode([left, reading([("TARGET", 17, 17, 0.9)], {}, (15, 40))])) == {(3, 17)}


def test_labels_that_no_anchor_takes_stand_alone():
    schema = Schema("names", (Label("PERSON"), Label("PLACE")))
    window = WindowReading(
        *(np.array(x, dtype=np.int64) for x in ([0, 5], [4, 9], [0, 1])),
        owned=np.ones(2, dtype=np.bool_),
        labels=np.array([0, 1]),
        scores=np.array([0.9, 0.9], dtype=np.float32),
        links=np.zeros((2, 2), dtype=np.float32),
        attributes=np.zeros((2, 1), dtype=np.float32),
        states=np.ones((2, 64), dtype=np.float32),
    )
    assert [s.label for s in assemble("Anna Gao.", [window], schema, (), Thresholds(), always).spans] == ["PERSON", "PLACE"]


def test_counts_come_from_the_words_or_from_the_model():
    slot = next(s for s in SLOTS if s.attribute.kind == "count")
    window = reading([("ATTACK", 0, 0, 0.9), ("CASUALTY", 1, 2, 0.9)], {(0, 1): 0.9}, (0, 40))

    def count(words, chosen):
        window.attributes[1, slot.offset : slot.offset + slot.size] = [float(c == chosen) + (c == "one") * 0.1 for c in COUNT_CLASSES]
        text = f"raid {words}"
        window.starts[1], window.ends[1] = 5, 5 + len(words)
        return assemble(text, [window], CONFLICT, SLOTS, Thresholds(), always).labelled("CASUALTY")[0].attributes["count"]

    assert count("at least 12 people", "stated") == ">=12"
    assert count("Maria Gomez", "one") == "1"
    assert count("civilians", "open") == "?"
    assert count("any casualties", "none") == "0"
    assert count("Maria Gomez", "stated") == "1"  # nothing is stated: the next likeliest


def test_no_windows_make_an_empty_document():
    assert decode([]).spans == ()


places = st.tuples(st.sampled_from(CONFLICT.names), st.integers(0, 30), st.integers(0, 3), st.floats(0.05, 1))


@given(st.lists(places, max_size=12), st.data())
def test_whatever_the_model_says_the_document_keeps_the_schema(spans, data):
    spans = [(label, first, first + width, score) for label, first, width, score in spans]
    pairs = [(i, j) for i, a in enumerate(spans) for j, b in enumerate(spans) if i != j and CONFLICT.takes(a[0], b[0])]
    links = {pair: data.draw(st.floats(0, 1)) for pair in pairs}
    border = data.draw(st.integers(1, 39))
    document = decode([reading(spans, links, (0, border)), reading(spans, links, (border, 40))])
    ids = [s.id for s in document.spans]
    assert len(set(ids)) == len(ids)
    for link in document.links:
        assert CONFLICT.takes(document.span(link.anchor).label, document.span(link.argument).label)
    arguments = {k.argument for k in document.links}
    assert all(s.id in arguments or s.label in CONFLICT.anchors for s in document.spans)
    for a in document.spans:
        assert not any(a is not b and a.label == b.label and a.overlaps(b) for b in document.spans)


def test_thresholds_are_checked():
    with pytest.raises(ValueError, match="link is 2"):
        Thresholds(link=2)
    with pytest.raises(ValueError, match="ATTACK is 'high'"):
        Thresholds().replaced({"ATTACK": "high"}, CONFLICT)
    with pytest.raises(ValueError, match="no threshold 'VICTIM'"):
        Thresholds().replaced({"VICTIM": 0.5}, CONFLICT)
    tuned = Thresholds(spans={"ATTACK": 0.4, "TIME": 0.6})
    assert tuned.replaced({"ATTACK": 0.3, "link": 0.7}, CONFLICT) == Thresholds(spans={"ATTACK": 0.3, "TIME": 0.6}, link=0.7)
    assert tuned.replaced({"span": 0.9}, CONFLICT) == Thresholds(span=0.9)
