"""What the verdict's linear models see of a passage: words, pieces of words, and numbers.

Words and pairs of words, pieces of three to five characters within words, and the words near an
agent, whatever it is called, are weighed by TF-IDF (sublinear, L2); beside them stand the evidence
features, standardised and clipped. The screen's scores are left out: they made the verdict worse on
works it was not trained on. The vocabularies are kept as plain text, their weights as arrays.

scikit-learn fits them; it is imported only then, since that takes seconds.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..errors import ModelError
from .attachment import FEATURES
from .evidence import PassageEvidence
from .terms import PIECES, ListedTerms, PieceTerms, Terms, WordTerms, count
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
NUMBER_LIMIT = 4.0
"""Standard deviations at which a number is clipped."""

NUMBER_SCALE = 0.1
"""What a standardised number is multiplied by, beside TF-IDF rows of length 1."""


def numbers_of(evidence: Sequence[PassageEvidence]) -> np.ndarray:
    """Return the evidence features as an array (passages, `len(FEATURES)`)."""
    return np.array([item.features for item in evidence]).reshape(len(evidence), len(FEATURES))


class Weighing:
    """One TF-IDF, sublinear and of length 1: the terms of a vocabulary, and their weights."""

    def __init__(self, name: str, terms: Sequence[str]) -> None:
        self.names = terms
        self._terms = VOCABULARIES[name].terms({term: i for i, term in enumerate(terms)})
        self._idf = np.ones(len(terms))

    @classmethod
    def fit(cls, name: str, passages: Sequence[list[str]]) -> "Weighing":
        """Choose a vocabulary by its passages. Rare terms are left out, unless there are few."""
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        vocabulary = VOCABULARIES[name]
        chooser = CountVectorizer(
            min_df=vocabulary.fewest if len(passages) >= FEW else 1,
            max_features=vocabulary.kept,
            **vocabulary.analysis,
        )
        is_listed = vocabulary.terms is ListedTerms
        chooser.fit(passages if is_listed else map(" ".join, passages))
        weighing = cls(name, chooser.get_feature_names_out().tolist())
        weighing.idf = TfidfTransformer().fit(weighing._counts(passages)).idf_
        return weighing

    def _counts(self, passages: Sequence[list[str]]) -> sp.csr_matrix:
        return count([self._terms.ids(passage) for passage in passages], len(self.names))

    def rows(self, passages: Sequence[list[str]]) -> sp.csr_matrix:
        """Return a row for each passage; it does not depend on the others.

        The values are those of scikit-learn's `TfidfTransformer`, to the bit.
        """
        rows = self._counts(passages)
        values = np.log(rows.data, out=rows.data)
        values += 1.0
        values *= self.idf[rows.indices]
        row = np.repeat(np.arange(len(passages)), np.diff(rows.indptr))
        values /= np.sqrt(np.bincount(row, values * values, minlength=len(passages)))[row]
        return rows

    @property
    def idf(self) -> np.ndarray:
        """The terms' inverse document frequencies; may be set instead of fitted.

        Raises:
            ValueError: there are more or fewer than terms.
        """
        return self._idf

    @idf.setter
    def idf(self, values: np.ndarray) -> None:
        if len(values) != len(self.names):
            raise ValueError(f"{len(values)} weights for {len(self.names)} terms")
        self._idf = values


class Representation:
    """Turns passages into sparse rows; fitted on training passages, or loaded."""

    def __init__(
        self,
        weighings: dict[str, Weighing],
        *,
        mean: np.ndarray,
        scale: np.ndarray,
        numbers: bool = True,
    ) -> None:
        self._weighings = weighings
        self._mean, self._scale = mean, scale
        self._numbers = numbers

    @classmethod
    def fit(
        cls,
        passages: Sequence[str],
        evidence: Sequence[PassageEvidence],
        *,
        without: Collection[str] = (),
    ) -> tuple["Representation", sp.csr_matrix]:
        """Choose vocabularies and weights; returns the representation and the passages' rows.

        For ablations, `without` names vocabularies, or `numbers`, to leave out.
        """
        from sklearn.preprocessing import StandardScaler

        weighings = {
            name: Weighing.fit(name, found)
            for name, found in _material(passages, evidence).items()
            if name not in without
        }
        scaler = StandardScaler().fit(numbers_of(evidence))
        fitted = cls(
            weighings, mean=np.asarray(scaler.mean_), scale=np.asarray(scaler.scale_),
            numbers="numbers" not in without,
        )  # fmt: skip
        return fitted, fitted.rows(passages, evidence)

    def rows(self, passages: Sequence[str], evidence: Sequence[PassageEvidence]) -> sp.csr_matrix:
        """Return a sparse row for each passage; a row does not depend on the others."""
        found = _material(passages, evidence)
        parts: list[Any] = [
            weighing.rows(found[name]) for name, weighing in self._weighings.items()
        ]
        if self._numbers:
            standard = (numbers_of(evidence) - self._mean) / self._scale
            standard = np.clip(standard, -NUMBER_LIMIT, NUMBER_LIMIT)
            parts.append(sp.csr_matrix(standard * NUMBER_SCALE))
        return sp.csr_matrix(sp.hstack(parts, format="csr"))

    def save(self, folder: Path) -> dict[str, np.ndarray]:
        """Write the vocabularies as text, and return the arrays that go with them."""
        for name, weighing in self._weighings.items():
            terms = "\n".join(weighing.names)
            (folder / f"{name}.txt").write_text(f"{terms}\n", encoding="utf-8")
        weights = {f"{name}_idf": w.idf for name, w in self._weighings.items()}
        return {**weights, "mean": self._mean, "scale": self._scale}

    @classmethod
    def load(cls, folder: Path, arrays: dict[str, np.ndarray]) -> "Representation":
        """Load what `save` wrote.

        Raises:
            ModelError: a vocabulary is missing or does not fit its weights.
        """
        weighings: dict[str, Weighing] = {}
        for name in VOCABULARIES:
            try:
                terms = (folder / f"{name}.txt").read_text("utf-8").removesuffix("\n").split("\n")
                weighings[name] = Weighing(name, terms)
                weighings[name].idf = arrays[f"{name}_idf"]
            except (OSError, ValueError) as error:
                raise ModelError(
                    f"{folder / name}.txt is missing or damaged: run `narrascope train` again"
                ) from error
        return cls(weighings, mean=arrays["mean"], scale=arrays["scale"])


def _material(
    passages: Sequence[str], evidence: Sequence[PassageEvidence]
) -> dict[str, list[list[str]]]:
    """Return what each vocabulary's terms are found in, a list for each passage."""
    strings = [even_quotes(passage).lower().split() for passage in passages]
    return {"words": strings, "pieces": strings, "nearby": [item.nearby for item in evidence]}
