"""Terms: how often each term of a vocabulary stands in a passage, counted fast.

scikit-learn chooses the vocabularies; its own counting makes every n-gram of every passage anew in
Python and takes most of a verdict's time. Here the pieces of a word are looked up once in a process
and kept, since the same words come again and again. The counts are the same.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

WORD = re.compile(r"\b\w\w+\b")
"""What `TfidfVectorizer` takes for a word, in lower case."""

PIECES = (3, 5)
"""Fewest and most characters of a piece of a word, its blanks included."""

KEPT_WORDS = 200_000
"""Words whose terms are kept in memory, some 60 MB at most."""

_ID = np.dtype(np.int32)


def pieces_of(word: str) -> list[str]:
    """Return the pieces of a word with a blank on either side, as the analyser `char_wb` cuts it.

    A padded word no longer than a piece's length is one piece, and longer pieces are not tried.
    """
    padded = f" {word} "
    pieces: list[str] = []
    for length in range(PIECES[0], PIECES[1] + 1):
        pieces += [padded[i : i + length] for i in range(max(1, len(padded) - length + 1))]
        if len(padded) <= length:
            break
    return pieces


class WordTerms:
    """Words and pairs of neighbouring words."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary

    def ids(self, passage: str) -> np.ndarray:
        """Return the id of each term, once for each time it stands there."""
        words = WORD.findall(passage.lower())
        get = self._vocabulary.get
        found = [*map(get, words), *map(get, map(" ".join, pairwise(words)))]
        return np.array([term for term in found if term is not None], _ID)


class PieceTerms:
    """Pieces of words, three to five characters long."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary
        self._of_word = lru_cache(maxsize=KEPT_WORDS)(self._look_up)

    def _look_up(self, word: str) -> bytes:
        found = map(self._vocabulary.get, pieces_of(word))
        return np.array([term for term in found if term is not None], _ID).tobytes()

    def ids(self, passage: str) -> np.ndarray:
        """Return the id of each term, once for each time it stands there."""
        return np.frombuffer(b"".join(map(self._of_word, passage.lower().split())), _ID)


class ListedTerms:
    """Terms that another stage has listed."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary

    def ids(self, terms: Sequence[str]) -> np.ndarray:
        """Return the id of each known term, once for each time it is listed."""
        found = map(self._vocabulary.get, terms)
        return np.array([term for term in found if term is not None], _ID)


Terms = WordTerms | PieceTerms | ListedTerms


def count(rows: Sequence[np.ndarray], size: int) -> sp.csr_matrix:
    """Return how often each of `size` ids stands in each row, ids ascending: (rows, size)."""
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    ids = np.concatenate([np.empty(0, _ID), *rows])
    counts = sp.csr_matrix((np.ones(len(ids)), ids, ends), shape=(len(rows), size))
    counts.sum_duplicates()
    return counts
