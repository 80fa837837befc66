from benchmark_speed import CORPUS, LONG, mixed, timed

from conflict_nlp.formats.jsonl import json_lines


def test_half_of_the_reports_are_joined_and_none_is_lost():
    reports = [data["text"] for _, data, _ in json_lines(CORPUS)][: 2 * LONG + 4]
    texts = list(mixed(len(reports)))
    assert len(texts) == LONG + 2 + 2  # the other half as they are, and two long ones
    assert sorted("\n\n".join(texts).split()) == sorted("\n\n".join(reports).split())


def test_time_is_that_of_the_system():
    seen = []
    assert 0 <= timed(seen.extend, ["a", "b"]) < 60
    assert seen == ["a", "b"]
