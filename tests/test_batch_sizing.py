from batch_sizing import PAGE, RESULTS, render, with_sizing

MEASURED = {"words_per_document": 94.0, "tokens_per_document": 150.0, "output_megabytes": 6.0, "peak_megabytes": 700.4, "memory": "PSS"}
RESULT = {
    "command": "python training/benchmark.py batch",
    "speed": [{**MEASURED, "setup": {"engine": "local", "workers": 2, "threads": 1}, "documents": 2000, "documents_per_second": 100.0}],
    "sizes": [{**MEASURED, "setup": {"engine": "local", "workers": 1, "threads": 2}, "documents": 1000, "documents_per_second": 250.0}],
    "machine": {"processor": "a processor", "cores": 2, "memory_gigabytes": 8.0},
    "versions": {"torch": "2.4"},
}


def test_the_page_has_the_figures_of_the_stored_results():
    page = PAGE.read_text(encoding="utf-8")
    assert with_sizing(page, RESULTS) == page


def test_ten_million_reports_by_arithmetic():
    section = render(RESULT)
    assert "| local, 2 × 1 | 100.0 | 28 | 3 |" in section  # 10,000,000 / 100 / 3600 hours; nights of 12
    assert "about 30 GB (3.0 KB a report)" in section
    assert "| 1,000 | 4.0 | 700 |" in section
