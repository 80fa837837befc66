"""Active learning: which passages an annotator should label next."""
