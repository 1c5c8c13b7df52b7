"""Terms: how often each term of a vocabulary stands in a passage, counted fast.

scikit-learn chooses the vocabularies; its own counting makes every n-gram of every passage anew in
Python and takes most of a verdict's time. Here what stands between two blanks is looked up once in
a process and kept, since the same strings come again and again. The counts are the same.
"""

import re
from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse as sp

from .kept import Kept

WORD = re.compile(r"\w\w+")
"""What `TfidfVectorizer` takes for a word, in lower case."""

PIECES = (3, 5)
"""Fewest and most characters of a piece of a word, its blanks included."""

KEPT = 200_000
"""Strings whose terms are kept in memory, some 60 MB of pieces and 30 MB of words when full."""

_ID = np.dtype(np.int32)
_NO_PAIR = np.iinfo(np.int64).max


def pieces_of(word: str) -> list[str]:
    """Return the pieces of a word with a blank on either side, as the analyser `char_wb` cuts it.

    A padded word no longer than a piece's length is one piece, and longer pieces are not tried.
    """
    padded = f" {word} "
    lengths = range(PIECES[0], min(PIECES[1], len(padded)) + 1)
    return [padded[i : i + n] for n in lengths for i in range(len(padded) - n + 1)]


def _packed(ids: Iterable[int]) -> bytes:
    return array("i", ids).tobytes()


def _joined(kept: Kept[bytes], strings: Iterable[str]) -> np.ndarray:
    """Return the ids kept for some strings, one after another."""
    return np.frombuffer(b"".join(map(kept.__getitem__, strings)), _ID)


class WordTerms:
    """Words and pairs of neighbouring words."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        words = dict.fromkeys(word for term in vocabulary for word in term.split(" "))
        numbers = {word: number for number, word in enumerate(words)}
        self._size = len(numbers) + 1  # the last number is that of unknown words
        self._numbers = Kept(
            lambda string: _packed(
                numbers.get(word, len(numbers)) for word in WORD.findall(string)
            ),
            most=KEPT,
        )
        self._singles = np.full(self._size, -1, _ID)
        pairs: list[tuple[int, int]] = []
        for term, place in vocabulary.items():
            first, *second = (numbers[word] for word in term.split(" "))
            if second:
                pairs.append((first * self._size + second[0], place))
            else:
                self._singles[first] = place
        self._pairs, self._places = np.array([*sorted(pairs), (_NO_PAIR, -1)]).T.copy()

    def ids(self, strings: Sequence[str]) -> np.ndarray:
        """Return the id of each term, once for each time it stands there.

        Takes a passage in lower case, cut at white space.
        """
        numbers = _joined(self._numbers, strings)
        singles = self._singles[numbers]
        pairs = numbers[:-1].astype(np.int64) * self._size + numbers[1:]
        near = np.searchsorted(self._pairs, pairs)
        known = near[self._pairs[near] == pairs]
        return np.concatenate([singles[singles >= 0], self._places[known].astype(_ID)])


class PieceTerms:
    """Pieces of words, three to five characters long."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        get = vocabulary.get
        self._kept = Kept(
            lambda word: _packed(term for term in map(get, pieces_of(word)) if term is not None),
            most=KEPT,
        )

    def ids(self, strings: Sequence[str]) -> np.ndarray:
        """Return the id of each term, once for each time it stands there.

        Takes a passage in lower case, cut at white space.
        """
        return _joined(self._kept, strings)


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
    row = np.repeat(np.arange(len(rows)), [len(ids) for ids in rows])
    # Sorting each row by itself takes a third of the time of scipy's `sum_duplicates`.
    ids = np.concatenate([np.empty(0, _ID), *map(np.sort, rows)])
    is_first = np.ones(len(ids), dtype=bool)
    is_first[1:] = (ids[1:] != ids[:-1]) | (row[1:] != row[:-1])
    places = np.flatnonzero(is_first)
    counts = np.diff(places, append=len(ids)).astype(np.float64)
    ends = np.searchsorted(row[places], np.arange(len(rows) + 1)).astype(_ID)
    return sp.csr_matrix((counts, ids[places], ends), shape=(len(rows), size))
