"""What the verdict's linear models see of a passage: words, pieces of words, and numbers.

Words and pairs of words, pieces of three to five characters within words, and the words near an
agent, whatever it is called, are weighed by TF-IDF (sublinear, L2); beside them stand the evidence
features, standardised and clipped. The screen's scores are left out: they made the verdict worse on
works it was not trained on. The vocabularies are kept as plain text, their weights as arrays.

scikit-learn fits them; it is imported only then, since that takes seconds.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ..errors import ModelError
from .attachment import FEATURES
from .counted import VOCABULARIES, Counted, strings_of
from .evidence import PassageEvidence
from .terms import count

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
    def fit(cls, name: str, counted: Counted) -> tuple["Weighing", sp.csr_matrix]:
        """Choose terms by the passages they were counted in; returns those passages' rows too."""
        from sklearn.feature_extraction.text import TfidfTransformer

        chosen = counted.chosen()
        weighing = cls(name, chosen.terms.tolist())
        weighing.idf = TfidfTransformer().fit(chosen.counts).idf_
        return weighing, weighing._weighed(chosen.counts)

    def rows(self, passages: Sequence[list[str]]) -> sp.csr_matrix:
        """Return a row for each passage; it does not depend on the others.

        The values are those of scikit-learn's `TfidfTransformer`, to the bit.
        """
        counted = count([self._terms.ids(passage) for passage in passages], len(self.names))
        return self._weighed(counted)

    def _weighed(self, rows: sp.csr_matrix) -> sp.csr_matrix:
        """Turn counts into values, in place."""
        values = np.log(rows.data, out=rows.data)
        values += 1.0
        values *= self.idf[rows.indices]
        indptr = rows.indptr
        row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        values /= np.sqrt(np.bincount(row, values * values, minlength=len(indptr) - 1))[row]
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
        counted: dict[str, Counted],
        evidence: Sequence[PassageEvidence],
        *,
        without: Collection[str] = (),
    ) -> tuple["Representation", sp.csr_matrix]:
        """Choose vocabularies and weights; returns the representation and the passages' rows.

        Args:
            counted: the terms of the passages by vocabulary, as `count_all` counts them.
            evidence: of the same passages.
            without: vocabularies, or `numbers`, to leave out, for ablations.
        """
        from sklearn.preprocessing import StandardScaler

        fits = {n: Weighing.fit(n, terms) for n, terms in counted.items() if n not in without}
        scaler = StandardScaler().fit(numbers_of(evidence))
        fitted = cls(
            {name: weighing for name, (weighing, _) in fits.items()},
            mean=np.asarray(scaler.mean_), scale=np.asarray(scaler.scale_),
            numbers="numbers" not in without,
        )  # fmt: skip
        return fitted, fitted._joined([rows for _, rows in fits.values()], evidence)

    def rows(self, passages: Sequence[str], evidence: Sequence[PassageEvidence]) -> sp.csr_matrix:
        """Return a sparse row for each passage; a row does not depend on the others."""
        found = strings_of(passages, evidence)
        parts = [weighing.rows(found[name]) for name, weighing in self._weighings.items()]
        return self._joined(parts, evidence)

    def _joined(
        self, parts: list[sp.csr_matrix], evidence: Sequence[PassageEvidence]
    ) -> sp.csr_matrix:
        """Put the numbers beside the rows of all vocabularies."""
        if self._numbers:
            standard = (numbers_of(evidence) - self._mean) / self._scale
            standard = np.clip(standard, -NUMBER_LIMIT, NUMBER_LIMIT)
            parts = [*parts, sp.csr_matrix(standard * NUMBER_SCALE)]
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
