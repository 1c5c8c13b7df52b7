"""What the verdict's linear models see of a passage: words, pieces of words, and numbers.

Words and pairs of words, pieces of three to five characters within words, and the words near an
agent, whatever it is called, are weighed by TF-IDF (sublinear, L2); beside them stand the evidence
features, standardised and clipped. The screen's scores are left out: they made the verdict worse on
works it was not trained on. The vocabularies are kept as plain text, their weights as arrays.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.preprocessing import StandardScaler

from ..errors import ModelError
from .attachment import FEATURES
from .evidence import PassageEvidence
from .terms import PIECES, ListedTerms, PieceTerms, Terms, WordTerms, count
from .tokens import even_quotes

FEW = 200


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
        self._transformer = TfidfTransformer(sublinear_tf=True)

    @classmethod
    def fit(cls, name: str, passages: Sequence[Any]) -> "Weighing":
        """Choose a vocabulary by its passages. Rare terms are left out, unless there are few."""
        vocabulary = VOCABULARIES[name]
        chooser = CountVectorizer(
            min_df=vocabulary.fewest if len(passages) >= FEW else 1,
            max_features=vocabulary.kept,
            **vocabulary.analysis,
        ).fit(passages)
        weighing = cls(name, chooser.get_feature_names_out().tolist())
        weighing._transformer.fit(weighing._counts(passages))
        return weighing

    def _counts(self, passages: Sequence[Any]) -> sp.csr_matrix:
        return count([self._terms.ids(passage) for passage in passages], len(self.names))

    def rows(self, passages: Sequence[Any]) -> sp.csr_matrix:
        """Return a row for each passage; it does not depend on the others."""
        return sp.csr_matrix(self._transformer.transform(self._counts(passages)))

    @property
    def idf(self) -> np.ndarray:
        """The terms' inverse document frequencies; may be set instead of fitted.

        Raises:
            ValueError: there are more or fewer than terms.
        """
        return self._transformer.idf_

    @idf.setter
    def idf(self, values: np.ndarray) -> None:
        if len(values) != len(self.names):
            raise ValueError(f"{len(values)} weights for {len(self.names)} terms")
        self._transformer.idf_ = values


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
        weighings = {
            name: Weighing.fit(name, _taken(name, passages, evidence))
            for name in VOCABULARIES
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
        parts: list[Any] = [
            weighing.rows(_taken(name, passages, evidence))
            for name, weighing in self._weighings.items()
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


def _taken(
    name: str, passages: Sequence[str], evidence: Sequence[PassageEvidence]
) -> Sequence[Any]:
    if name == "nearby":
        return [item.nearby for item in evidence]
    return [even_quotes(passage) for passage in passages]
