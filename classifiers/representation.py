"""What the verdict's linear models see of a passage: words, pieces of words, and numbers.

Words and pairs of words, and pieces of three to five characters within words, are weighed by
TF-IDF (sublinear, L2); beside them stand the evidence features, standardised and clipped. The
screen's scores are left out: they made the verdict worse on works it was not trained on. The two
vocabularies are kept as plain text, their weights as arrays.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from ..errors import ModelError
from .attachment import FEATURES
from .evidence import PassageEvidence

WORDS = {"analyzer": "word", "ngram_range": (1, 2), "sublinear_tf": True}
PIECES = {"analyzer": "char_wb", "ngram_range": (3, 5), "sublinear_tf": True}

FEW = 200
WORDS_KEPT, PIECES_KEPT = 30_000, 30_000
NUMBER_LIMIT = 4.0
"""Standard deviations at which a number is clipped."""

NUMBER_SCALE = 0.05
"""What a standardised number is multiplied by, beside TF-IDF rows of length 1."""


def numbers_of(evidence: Sequence[PassageEvidence]) -> np.ndarray:
    """Return the evidence features as an array (passages, `len(FEATURES)`)."""
    return np.array([item.features for item in evidence]).reshape(len(evidence), len(FEATURES))


class Representation:
    """Turns passages into sparse rows; fitted on training passages, or loaded."""

    def __init__(
        self,
        words: TfidfVectorizer,
        pieces: TfidfVectorizer,
        *,
        mean: np.ndarray,
        scale: np.ndarray,
    ) -> None:
        self._words, self._pieces = words, pieces
        self._mean, self._scale = mean, scale

    @classmethod
    def fit(
        cls, passages: Sequence[str], numbers: np.ndarray
    ) -> tuple["Representation", sp.csr_matrix]:
        """Choose vocabularies and weights; returns the representation and the passages' rows.

        Terms of a single passage are left out, unless there are fewer than `FEW` passages.
        """
        fewest = 2 if len(passages) >= FEW else 1
        words = TfidfVectorizer(min_df=fewest, max_features=WORDS_KEPT, **WORDS)
        pieces = TfidfVectorizer(min_df=2 * fewest, max_features=PIECES_KEPT, **PIECES)
        parts = [words.fit_transform(passages), pieces.fit_transform(passages)]
        scaler = StandardScaler().fit(numbers)
        fitted = cls(words, pieces, mean=np.asarray(scaler.mean_), scale=np.asarray(scaler.scale_))
        return fitted, fitted._joined(parts, numbers)

    def rows(self, passages: Sequence[str], numbers: np.ndarray) -> sp.csr_matrix:
        """Return a sparse row for each passage; a row does not depend on the others."""
        parts = [self._words.transform(passages), self._pieces.transform(passages)]
        return self._joined(parts, numbers)

    def _joined(self, parts: list[Any], numbers: np.ndarray) -> sp.csr_matrix:
        standard = np.clip((numbers - self._mean) / self._scale, -NUMBER_LIMIT, NUMBER_LIMIT)
        parts = [*parts, sp.csr_matrix(standard * NUMBER_SCALE)]
        return sp.csr_matrix(sp.hstack(parts, format="csr"))

    def save(self, folder: Path) -> dict[str, np.ndarray]:
        """Write the vocabularies as text, and return the arrays that go with them."""
        for name, vectorizer in (("words", self._words), ("pieces", self._pieces)):
            terms = vectorizer.get_feature_names_out().tolist()
            (folder / f"{name}.txt").write_text("\n".join(terms) + "\n", encoding="utf-8")
        return {
            "words_idf": self._words.idf_,
            "pieces_idf": self._pieces.idf_,
            "mean": self._mean,
            "scale": self._scale,
        }

    @classmethod
    def load(cls, folder: Path, arrays: dict[str, np.ndarray]) -> "Representation":
        """Load what `save` wrote.

        Raises:
            ModelError: a vocabulary is missing or does not fit its weights.
        """
        vectorizers: list[TfidfVectorizer] = []
        for name, settings in (("words", WORDS), ("pieces", PIECES)):
            try:
                terms = (folder / f"{name}.txt").read_text("utf-8").removesuffix("\n").split("\n")
                vectorizer = TfidfVectorizer(vocabulary=terms, **settings)
                vectorizer.idf_ = arrays[f"{name}_idf"]
            except (OSError, ValueError) as error:
                raise ModelError(
                    f"{folder / name}.txt is missing or damaged: run `narrascope train` again"
                ) from error
            vectorizers.append(vectorizer)
        return cls(*vectorizers, mean=arrays["mean"], scale=arrays["scale"])
