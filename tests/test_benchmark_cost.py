from benchmark_cost import SENTENCES, by_batch, by_length, by_spans, draw, latency, short_reports


def test_short_reports_have_about_a_hundred_words():
    reports = list(short_reports())
    assert len(reports) > 5
    assert all(90 <= len(report.split()) <= 110 for report in reports)


def test_what_is_measured_of_a_model_can_be_drawn(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark_cost.BATCHES", (64, 256))
    monkeypatch.setattr("benchmark_cost.mixed", lambda reports: ["A raid.", "Gunmen fired rockets at Kismayo."])
    figures = {"length": by_length(tiny, [50, 200], 1), "spans": by_spans(tiny, 1), "batch": by_batch({"tiny": tiny}, 1)}
    assert [row["characters"] for row in figures["length"]] == [50, 200]
    assert len(figures["spans"]) == SENTENCES // (SENTENCES // 8) + 1
    assert [row["tokens"] for row in figures["batch"]["tiny"]] == [64, 256]
    draw(figures, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")


def test_latency_is_of_each_system_over_all_reports(tiny):
    found = latency({"a": tiny, "b": tiny}, ["A raid.", "Gunmen fired."], 3)
    assert found["reports"] == 2
    assert all(0 < times["p50"] <= times["p95"] for times in found["milliseconds"].values())
