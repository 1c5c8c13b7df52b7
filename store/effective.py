"""The audited documents, and how many each cell of a population is worth in them."""

from dataclasses import dataclass

import numpy as np

from ..errors import TagsError


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The audited documents, a row each: a simple random sample of each stratum.

    `stratum` (n,): index into the population's strata. `positive` (n,): whether a passage that was
    read bears the label, after adjudication. `size` (n,): the document's size in the unit, ones for
    documents. `read` (n,): the probability, in (0, 1], with which each of its passages was read; 1
    where the whole document was.
    """

    stratum: np.ndarray
    positive: np.ndarray
    size: np.ndarray
    read: np.ndarray

    @classmethod
    def of_documents(
        cls, stratum: np.ndarray, positive: np.ndarray, read: np.ndarray | None = None
    ) -> "Sample":
        """Return a sample counted in documents, by default each read whole."""
        ones = np.ones(len(stratum))
        whole = ones if read is None else np.asarray(read, float)
        return cls(np.asarray(stratum), np.asarray(positive, float), ones, whole)

    def where(self, kept: np.ndarray) -> "Sample":
        """Return the rows for which `kept` (n,) is true: those of a group or filter."""
        return Sample(self.stratum[kept], self.positive[kept], self.size[kept], self.read[kept])


class AuditedCells:
    """Sums over the audited documents of each cell, group by stratum (G, H).

    `audited`, `positive`, `in_part`: documents read, found positive, read in part; `size`: what
    those read add up to; `read_through`: the part of the cell that was read, 1 where none is left.
    """

    def __init__(
        self, documents: np.ndarray, size: np.ndarray, sample: Sample, group: np.ndarray
    ) -> None:
        self.documents = documents
        shape = documents.shape
        if len(sample.stratum) and int(sample.stratum.max()) >= shape[1]:
            raise TagsError(
                f"a document was audited in stratum {int(sample.stratum.max())}, but there are "
                f"{shape[1]}: the audit is of other strata; draw a new one"
            )
        cell = group * shape[1] + sample.stratum

        def sums(values: np.ndarray) -> np.ndarray:
            return np.bincount(cell, values, documents.size).reshape(shape).astype(float)

        self._sums, self._sample = sums, sample
        self.audited = sums(np.ones(len(cell)))
        self.size = sums(sample.size)
        self.positive = sums(sample.positive.astype(float))
        self.in_part = sums((sample.read < 1).astype(float))
        read = self._mean(sums(sample.size * sample.read))
        self.read = np.where(self.size > 0, read, 1.0)
        self.read_through = self.read * self.audited / np.maximum(documents, 1)
        self.read_through = np.where(documents > 0, self.read_through, 1.0)

    def _mean(self, total: np.ndarray) -> np.ndarray:
        return np.divide(total, self.size, out=np.zeros_like(total), where=self.size > 0)

    def check(self) -> None:
        """Raise `TagsError` where more was read of a cell than it holds."""
        for g, h in np.argwhere(self.audited > self.documents)[:1]:
            raise TagsError(
                f"{int(self.audited[g, h])} documents were audited of a stratum that holds "
                f"{int(self.documents[g, h])}: the tags are others than the audit's; draw a new one"
            )

    def rate(self) -> np.ndarray:
        """Return the share of each cell that was found positive, 0 where nothing was read."""
        return self._mean(self._sums(self._sample.size * self._sample.positive))

    def effective(self, *, upper: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return how many documents, and how many positive, each cell's sample is worth.

        Sizes that differ make it worth less: the lesser of Kish's effective size (1965, §11.7) and
        the one with the variance of the ratio estimate (Korn & Graubard 1998). With `upper`, a
        positive of which each passage was read with probability r counts 1/r times: a document is
        found positive with a probability of at least r, so that the rate is not too low on average,
        and documents count for r.
        """
        s, y = self._sample.size, self._sample.positive.astype(float)
        if upper:
            y = y / self._sample.read
        squares = self._sums(s * s)
        rate = np.clip(self._mean(self._sums(s * y)), 0.0, 1.0)
        spread = self._sums(s * s * y * y) - 2 * rate * self._sums(s * s * y) + rate**2 * squares
        worth = np.divide(self.size**2, squares, out=np.zeros_like(squares), where=squares > 0)
        worth = worth * (self.read if upper else 1.0)
        clear = (rate > 0) & (rate < 1) & (spread > 0)
        by_variance = np.divide(
            rate * (1 - rate) * self.size**2, spread, out=np.full_like(rate, np.inf), where=clear
        )
        # What was read of a cell is known: the rest alone is uncertain, and nothing where all was.
        rest = np.maximum(1 - self.read_through, 0.0)
        worth = np.divide(
            np.minimum(worth, by_variance), rest, out=np.zeros_like(rate), where=rest > 0
        )
        return worth, worth * rate
