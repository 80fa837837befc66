"""The callable: the same kind out as in, bad rows marked."""

import pickle

import pytest
from conftest import REPORT

from conflict_nlp.batch import Labeller

CELLS = [REPORT, None, 3, b"\xff", "x" * 2000, ""]
ERRORS = [None, "missing", "a number", "not UTF-8", "2,000 characters, the limit is 1,000", None]


@pytest.fixture(scope="module")
def labeller(model_folder):
    made = Labeller(str(model_folder), device="cpu", text="body", max_chars=1000)
    made.extractor  # noqa: B018  # loaded already, and still picklable
    return pickle.loads(pickle.dumps(made))


def check(errors, spans):
    assert [(e is None) == (x is None) for e, x in zip(errors, ERRORS, strict=True)] == [True] * 6
    assert all(expected in error for error, expected in zip(errors, ERRORS, strict=True) if expected)
    assert [s is None for s in spans] == [e is not None for e in ERRORS]
    assert len(spans[0]) > 3
    assert all(REPORT[s["start"] : s["end"]] == s["text"] for s in spans[0])
    assert len(spans[5]) == 0


def test_columns_as_lists_and_as_arrays(labeller):
    import numpy as np

    out = labeller({"key": list("abcdef"), "body": CELLS})
    assert list(out) == ["key", "body", "spans", "links", "error"]
    check(out["error"], out["spans"])
    cells = np.empty(6, dtype=object)
    cells[:] = CELLS
    out = labeller({"key": np.arange(6), "body": cells})
    assert all(isinstance(column, np.ndarray) for column in out.values())
    check(out["error"], out["spans"])


def test_data_frames_with_an_index_of_their_own(labeller):
    import pandas as pd

    frame = pd.DataFrame({"body": pd.Series(CELLS, dtype=object)}).set_axis(list("uvwxyz"))
    (out,) = labeller.in_pandas(iter([frame]))
    assert list(out.index) == list("uvwxyz")
    assert list(frame.columns) == ["body"]
    check(list(out["error"]), list(out["spans"]))
    assert labeller(pd.DataFrame({"body": [REPORT, None]}))["error"].tolist() == [None, "the text is missing"]


def test_arrow_tables_and_batches_have_the_schema_that_was_said(labeller, model_folder):
    import pyarrow as pa

    table = pa.table({"body": pa.array([REPORT, None, "raid"]), "links": [1, 2, 3]})
    out = labeller(table)
    assert out.schema == labeller.output_schema(table.schema)
    assert out["links"].to_pylist()[1] is None  # its own column of that name is replaced
    assert isinstance(labeller(table.to_batches()[0]), pa.RecordBatch)
    whole = Labeller(str(model_folder), device="cpu", text="body", views=True)
    assert whole(table).schema == whole.output_schema(table.schema)
    assert whole(table.slice(0, 0)).num_rows == 0


def test_datasets_map(labeller):
    from datasets import Dataset

    out = Dataset.from_dict({"body": [REPORT, None]}).map(labeller, batched=True)
    assert out["error"][:] == [None, "the text is missing"]
    assert len(out["spans"][0]) > 3


def test_a_batch_without_texts_or_of_another_kind_is_refused(labeller):
    with pytest.raises(ValueError, match="no column 'body', only text"):
        labeller({"text": [REPORT]})
    with pytest.raises(ValueError, match="not list"):
        labeller([REPORT])
    with pytest.raises(ValueError, match="batched=True"):
        labeller({"body": REPORT})
