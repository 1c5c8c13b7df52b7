"""What training and evaluation work on: labelled passages, and folds that never split a work."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold

from ..errors import LabelsError
from ..labels.labelled import Example
from .evidence import EvidenceReader, PassageEvidence


@dataclass(frozen=True)
class Material:
    """Labelled passages with what is computed of them once."""

    examples: list[Example]
    evidence: list[PassageEvidence]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Material":
        """Read the evidence of the passages."""
        return cls(list(examples), EvidenceReader().read([e.text for e in examples]))

    def take(self, places: np.ndarray) -> "Material":
        """Return the passages at these places."""
        return Material([self.examples[i] for i in places], [self.evidence[i] for i in places])

    @property
    def texts(self) -> list[str]:
        """The passages' texts."""
        return [example.text for example in self.examples]

    @property
    def truth(self) -> np.ndarray:
        """The four answers: a boolean array (passages, 4)."""
        return np.array([example.labels() for example in self.examples], dtype=bool)

    def folds(self, *, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return pairs of places, to train on and to predict, that never split a work.

        Raises:
            LabelsError: there are fewer works than folds.
        """
        works = [example.work for example in self.examples]
        if len(set(works)) < count:
            raise LabelsError(
                f"{len(set(works))} works cannot be split in {count} folds: give passages of more"
            )
        return list(GroupKFold(count, shuffle=True, random_state=seed).split(works, groups=works))
