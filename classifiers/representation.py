"""What the verdict's linear models see of a passage: words, pieces of words, and numbers.

Words and pairs of words, pieces of three to five characters within words, and the words near an
agent, whatever it is called, are weighed by TF-IDF (sublinear, L2); beside them stand the evidence
features, standardised and clipped. The screen's scores are left out: they made the verdict worse on
works it was not trained on. The vocabularies are kept as plain text, their weights as arrays.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from ..errors import ModelError
from .attachment import FEATURES
from .evidence import PassageEvidence

FEW = 200


class Vocabulary(NamedTuple):
    """One TF-IDF: how a passage is taken apart, how many terms are kept, in how many passages."""

    settings: dict[str, Any]
    kept: int
    fewest: int


VOCABULARIES: dict[str, Vocabulary] = {
    "words": Vocabulary({"analyzer": "word", "ngram_range": (1, 2)}, 30_000, 2),
    "pieces": Vocabulary({"analyzer": "char_wb", "ngram_range": (3, 5)}, 30_000, 4),
    "nearby": Vocabulary({"analyzer": list}, 20_000, 3),
}
NUMBER_LIMIT = 4.0
"""Standard deviations at which a number is clipped."""

NUMBER_SCALE = 0.1
"""What a standardised number is multiplied by, beside TF-IDF rows of length 1."""


def numbers_of(evidence: Sequence[PassageEvidence]) -> np.ndarray:
    """Return the evidence features as an array (passages, `len(FEATURES)`)."""
    return np.array([item.features for item in evidence]).reshape(len(evidence), len(FEATURES))


def _vectorizer(settings: dict[str, Any], **more: Any) -> TfidfVectorizer:
    return TfidfVectorizer(sublinear_tf=True, dtype=np.float64, **settings, **more)


class Representation:
    """Turns passages into sparse rows; fitted on training passages, or loaded."""

    def __init__(
        self,
        vectorizers: dict[str, TfidfVectorizer],
        *,
        mean: np.ndarray,
        scale: np.ndarray,
        numbers: bool = True,
    ) -> None:
        self._vectorizers = vectorizers
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

        Rare terms are left out, unless there are fewer than `FEW` passages. For ablations,
        `without` names vocabularies, or `numbers`, to leave out.
        """
        vectorizers: dict[str, TfidfVectorizer] = {}
        parts: list[Any] = []
        for name, vocabulary in VOCABULARIES.items():
            if name in without:
                continue
            fewest = vocabulary.fewest if len(passages) >= FEW else 1
            vectorizers[name] = _vectorizer(
                vocabulary.settings, min_df=fewest, max_features=vocabulary.kept
            )
            parts.append(vectorizers[name].fit_transform(_taken(name, passages, evidence)))
        scaler = StandardScaler().fit(numbers_of(evidence))
        fitted = cls(
            vectorizers, mean=np.asarray(scaler.mean_), scale=np.asarray(scaler.scale_),
            numbers="numbers" not in without,
        )  # fmt: skip
        return fitted, fitted._joined(parts, evidence)

    def rows(self, passages: Sequence[str], evidence: Sequence[PassageEvidence]) -> sp.csr_matrix:
        """Return a sparse row for each passage; a row does not depend on the others."""
        parts = [
            vectorizer.transform(_taken(name, passages, evidence))
            for name, vectorizer in self._vectorizers.items()
        ]
        return self._joined(parts, evidence)

    def _joined(self, parts: list[Any], evidence: Sequence[PassageEvidence]) -> sp.csr_matrix:
        if not self._numbers:
            return sp.csr_matrix(sp.hstack(parts, format="csr"))
        standard = (numbers_of(evidence) - self._mean) / self._scale
        standard = np.clip(standard, -NUMBER_LIMIT, NUMBER_LIMIT)
        return sp.csr_matrix(
            sp.hstack([*parts, sp.csr_matrix(standard * NUMBER_SCALE)], format="csr")
        )

    def save(self, folder: Path) -> dict[str, np.ndarray]:
        """Write the vocabularies as text, and return the arrays that go with them."""
        for name, vectorizer in self._vectorizers.items():
            terms = vectorizer.get_feature_names_out().tolist()
            (folder / f"{name}.txt").write_text("\n".join(terms) + "\n", encoding="utf-8")
        weights = {f"{name}_idf": v.idf_ for name, v in self._vectorizers.items()}
        return {**weights, "mean": self._mean, "scale": self._scale}

    @classmethod
    def load(cls, folder: Path, arrays: dict[str, np.ndarray]) -> "Representation":
        """Load what `save` wrote.

        Raises:
            ModelError: a vocabulary is missing or does not fit its weights.
        """
        vectorizers: dict[str, TfidfVectorizer] = {}
        for name, vocabulary in VOCABULARIES.items():
            try:
                terms = (folder / f"{name}.txt").read_text("utf-8").removesuffix("\n").split("\n")
                vectorizers[name] = _vectorizer(vocabulary.settings, vocabulary=terms)
                vectorizers[name].idf_ = arrays[f"{name}_idf"]
            except (OSError, ValueError) as error:
                raise ModelError(
                    f"{folder / name}.txt is missing or damaged: run `narrascope train` again"
                ) from error
        return cls(vectorizers, mean=arrays["mean"], scale=arrays["scale"])


def _taken(
    name: str, passages: Sequence[str], evidence: Sequence[PassageEvidence]
) -> Sequence[Any]:
    return [item.nearby for item in evidence] if name == "nearby" else passages
