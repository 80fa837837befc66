"""Metrics over documents, each a plain function and an `evaluate` module that loads without a network."""
