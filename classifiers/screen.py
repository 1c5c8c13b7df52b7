"""The screen: fastText scores every window, and stops those that are plainly about other things.

It reads a window's words, and those beside the gate's terms once more, marked: what stands near
"the robot" says more than the rest.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fasttext
import numpy as np

from ..errors import ModelError
from ..labels.taxonomy import LABELS
from .passages import Window
from .tokens import replaced

FILE = "screen.bin"
PREFIX = "__label__"

WORD = re.compile(r"[^\W_]+")
_BETWEEN_WORDS = str.maketrans({c: " " for c in map(chr, range(128)) if not c.isalnum()})
_TYPESET = dict.fromkeys("‘’“”–—…\u00a0", " ")

BESIDE = 5
"""Words on either side of a term, and the term's own, that are read twice."""

MARK = "@"


def line(window: Window) -> str:
    """Return a window as fastText is to read it: its words in lower case, the marked ones last."""
    words: list[str] = []
    marked: list[str] = []
    reached = 0
    words_in = _words_of(window.text)
    for start, end in window.terms:
        between, term = words_in(reached, start), words_in(start, end)
        after = between[:BESIDE] if reached else []
        marked += after + between[max(len(after), len(between) - BESIDE) :] + term
        words += between + term
        reached = end
    rest = words_in(reached, len(window.text))
    marked += rest[:BESIDE] if window.terms else []
    return " ".join([*words, *rest, *(MARK + word for word in marked)]).lower()


def _words_of(text: str) -> Callable[[int, int], list[str]]:
    """Return what gives the words between two places of a text."""
    plain = text if text.isascii() else replaced(text, _TYPESET)
    if not plain.isascii():
        return partial(WORD.findall, text)
    blanked = plain.translate(_BETWEEN_WORDS)  # finds the same, in a quarter of the time
    return lambda start, end: blanked[start:end].split()


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

    def score(self, windows: Sequence[Window]) -> np.ndarray:
        """Return scores in [0, 1], rounded to 1e-4, as an array (windows, 4) in label order."""
        scores = np.zeros((len(windows), len(LABELS)))
        said = self._model.predict([line(window) for window in windows], k=-1)
        for row, (labels, found) in enumerate(zip(*said, strict=True)):
            by_label = dict(zip(labels, found, strict=True))
            scores[row] = [by_label.get(PREFIX + label, 0.0) for label in LABELS]
        return np.round(np.clip(scores, 0.0, 1.0), 4)

    def lets_by(self, scores: np.ndarray) -> np.ndarray:
        """Return which passages go on: those with any score from its threshold up."""
        return np.any(scores >= self._least, axis=1)
