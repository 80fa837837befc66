"""Jobs over whole archives: many files in, Parquet out, stopped and resumed without loss."""

from conflict_nlp.batch.labeller import Labeller

__all__ = ["Labeller"]
