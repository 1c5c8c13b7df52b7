"""The screen: fastText scores every window, and stops those that are plainly about other things."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext
import numpy as np

from ..errors import ModelError
from ..labels.taxonomy import LABELS
from .tokens import even_quotes

FILE = "screen.bin"
PREFIX = "__label__"


def even(text: str) -> str:
    """Return a text as fastText is to read it: lower-case, straight quotes, single blanks."""
    return " ".join(even_quotes(text).lower().split())


class Screen:
    """Four one-against-all scores for a passage, and a rule for which passages go on.

    Args:
        model: a fastText model trained with the loss `ova` on the labels.
        thresholds: for each label the score from which a passage goes on, or None where no passage
            needs to go on for that label alone.
    """

    def __init__(self, model: Any, thresholds: Sequence[float | None]) -> None:
        self._model = model
        self.thresholds = tuple(thresholds)
        self._least = np.array([np.inf if t is None else t for t in thresholds])

    @classmethod
    def load(cls, folder: Path, *, thresholds: Sequence[float | None]) -> "Screen":
        """Load `screen.bin` from a models folder.

        Raises:
            ModelError: the file is missing, damaged, or knows other labels.
        """
        path = folder / FILE
        try:
            model = fasttext.load_model(str(path))
        except ValueError as error:
            raise ModelError(
                f"no usable screen at {path}: name a folder that `narrascope train` wrote"
            ) from error
        known = {str(label).removeprefix(PREFIX) for label in model.get_labels()}
        if missing := set(LABELS) - known:
            raise ModelError(f"{path} knows no label {sorted(missing)}: run `narrascope train`")
        return cls(model, thresholds)

    def score(self, passages: Sequence[str]) -> np.ndarray:
        """Return scores in [0, 1], rounded to 1e-4, as an array (passages, 4) in label order."""
        scores = np.zeros((len(passages), len(LABELS)))
        said = self._model.predict([even(passage) for passage in passages], k=-1)
        for row, (labels, found) in enumerate(zip(*said, strict=True)):
            by_label = dict(zip(labels, found, strict=True))
            scores[row] = [by_label.get(PREFIX + label, 0.0) for label in LABELS]
        return np.round(np.clip(scores, 0.0, 1.0), 4)

    def lets_by(self, scores: np.ndarray) -> np.ndarray:
        """Return which passages go on: those with any score from its threshold up."""
        return np.any(scores >= self._least, axis=1)
