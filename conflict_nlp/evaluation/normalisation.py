"""Strings made comparable, as the scorers of reading comprehension and of MUC-4 role fillers do it."""

from __future__ import annotations

import re
import string

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and extra white space, in this order.

    The normalisation of SQuAD (Rajpurkar et al. 2016), which the GRIT scorer uses.

    >>> normalise("The U.S. Embassy,  in a suburb")
    'us embassy in suburb'
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())
