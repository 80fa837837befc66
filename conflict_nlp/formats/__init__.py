"""Annotation formats and public corpora, in and out."""

from conflict_nlp.formats.files import FormatError

__all__ = ["FormatError"]
