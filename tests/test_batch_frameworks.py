"""The labeller in datasets, Spark and Dask: the rows that it gives by itself."""

import pandas as pd
import pyarrow as pa
import pytest
from conftest import REPORT

from conflict_nlp.batch import Labeller

TEXTS = [REPORT, "Gunmen ambushed a convoy.", None, "", f"{REPORT} {REPORT}"]
TABLE = pa.table({"day": [1, 2, 3, 4, 5], "text": pa.array(TEXTS, pa.string())})


@pytest.fixture(scope="module")
def labeller(model_folder):
    return Labeller(str(model_folder), device="cpu", thresholds={"span": 0.45, "link": 0.45, "only_link": 0.2})


@pytest.fixture(scope="module")
def expected(labeller, tiny):
    rows = labeller(TABLE).to_pylist()
    document = tiny(REPORT)
    assert [(s["id"], s["label"], s["text"]) for s in rows[0]["spans"]] == [(s.id, s.label, s.text) for s in document.spans]
    assert [(link["anchor"], link["argument"]) for link in rows[0]["links"]] == [(link.anchor, link.argument) for link in document.links]
    assert [row["error"] for row in rows] == [None, None, "the text is missing", None, None]
    return rows


def plain(value):
    """What a library made of lists and structs, as the lists and dicts that they were."""
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        return [plain(v) for v in value]
    return None if value is None or value is pd.NA or value != value else value


def rows_of(frame):
    return [plain(row) for row in frame.to_dict("records")]


def test_frames_are_labelled_as_they_come(labeller, expected):
    asked = []

    def frames():
        for start, rows in ((0, 2), (2, 3)):
            asked.append(start)
            yield TABLE.slice(start, rows).to_pandas()

    labelled = labeller.in_pandas(frames())
    assert rows_of(next(labelled)) == expected[:2]
    assert asked == [0]
    assert rows_of(next(labelled)) == expected[2:]


def test_datasets_map(labeller, expected):
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset(TABLE)
    features = datasets.Features.from_arrow_schema(labeller.output_schema(dataset.features.arrow_schema))
    assert list(dataset.map(labeller, batched=True, batch_size=2, features=features)) == expected


def test_dask_map_partitions(labeller, expected):
    dataframe = pytest.importorskip("dask.dataframe")
    frame = dataframe.from_pandas(TABLE.to_pandas(), npartitions=2)
    labelled = frame.map_partitions(labeller, meta=labeller(frame._meta)).compute(scheduler="synchronous")
    assert rows_of(labelled) == expected


def test_spark_map_in_pandas(labeller, expected):
    sql = pytest.importorskip("pyspark.sql")
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    spark = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = spark.createDataFrame([(row["day"], row["text"]) for row in TABLE.to_pylist()], "day long, text string")
        schema = from_arrow_schema(labeller.output_schema(to_arrow_schema(frame.schema)))
        rows = [plain(row.asDict(recursive=True)) for row in frame.mapInPandas(labeller.in_pandas, schema).collect()]
    finally:
        spark.stop()
    assert sorted(rows, key=lambda row: row["day"]) == expected
