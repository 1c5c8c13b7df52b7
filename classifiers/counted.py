"""All terms of labelled passages, counted once: each fold then only chooses among them.

Taking ten thousand passages apart is most of what fitting a representation costs, and evaluation
fits some eighty on parts of the same passages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..errors import LabelsError
from .evidence import PassageEvidence
from .terms import PIECES, ListedTerms, PieceTerms, Terms, WordTerms
from .tokens import even_quotes

FEW = 200
"""Passages below which terms that stand in one of them alone are known too."""


class Vocabulary(NamedTuple):
    """How a passage is taken apart: for choosing terms, and for counting them; how many terms are
    kept, and in how many passages each must stand.
    """

    analysis: dict[str, Any]
    terms: Callable[[dict[str, int]], Terms]
    kept: int
    fewest: int


VOCABULARIES: dict[str, Vocabulary] = {
    "words": Vocabulary({"analyzer": "word", "ngram_range": (1, 2)}, WordTerms, 30_000, 2),
    "pieces": Vocabulary({"analyzer": "char_wb", "ngram_range": PIECES}, PieceTerms, 30_000, 4),
    "nearby": Vocabulary({"analyzer": list}, ListedTerms, 20_000, 3),
}


def strings_of(
    passages: Sequence[str], evidence: Sequence[PassageEvidence]
) -> dict[str, list[list[str]]]:
    """Return what each vocabulary's terms are found in, a list for each passage."""
    strings = [even_quotes(passage).lower().split() for passage in passages]
    return {"words": strings, "pieces": strings, "nearby": [item.nearby for item in evidence]}


@dataclass(frozen=True)
class Counted:
    """How often each term stands in each passage.

    Attributes:
        terms: of one vocabulary, ascending.
        counts: (passages, terms), float64.
        fewest: in how many passages a term must stand to be chosen.
        most: how many terms are chosen at most.
    """

    terms: np.ndarray
    counts: sp.csr_matrix
    fewest: int
    most: int

    @classmethod
    def of(cls, name: str, passages: Sequence[list[str]]) -> "Counted":
        """Count all terms that a part of the passages could choose.

        Raises:
            LabelsError: the passages have none.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        vocabulary = VOCABULARIES[name]
        fewest = vocabulary.fewest if len(passages) >= FEW else 1
        counter = CountVectorizer(min_df=fewest, **vocabulary.analysis)
        is_listed = vocabulary.terms is ListedTerms
        try:
            found = counter.fit_transform(passages if is_listed else map(" ".join, passages))
        except ValueError as error:
            raise LabelsError(
                f"{len(passages)} passages have too few {name} in common to learn from: give more"
            ) from error
        counts = sp.csr_matrix(found, dtype=np.float64)
        counts.sort_indices()
        return cls(counter.get_feature_names_out(), counts, fewest, vocabulary.kept)

    def take(self, places: np.ndarray) -> "Counted":
        """Return the passages at these places, with all terms."""
        return replace(self, counts=self.counts[places])

    def chosen(self) -> "Counted":
        """Return the passages with the terms that stand in enough of them, the most frequent."""
        standing = np.bincount(self.counts.indices, minlength=len(self.terms))
        columns = np.flatnonzero(standing >= self.fewest)
        if len(columns) > self.most:
            total = np.asarray(self.counts.sum(axis=0), np.int64).ravel()[columns]
            columns = np.sort(columns[np.argsort(-total)[: self.most]])
        return replace(self, terms=self.terms[columns], counts=self.counts[:, columns])


def count_all(passages: Sequence[str], evidence: Sequence[PassageEvidence]) -> dict[str, Counted]:
    """Count the terms of all vocabularies."""
    found = strings_of(passages, evidence)
    return {name: Counted.of(name, found[name]) for name in VOCABULARIES}
