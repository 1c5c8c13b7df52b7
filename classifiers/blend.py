"""From decision values to what is believed: the verdict's alone, or blended with the judge's.

Each of `HEADS`, genres apart, has two calibrations, fitted out of fold: of the verdict's value
alone, and of both values together. The judge is asked only about passages that the verdict leaves
undecided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from ..labels.labelled import Example
from .calibration import NEARLY_CERTAIN, Platt, fit_platt
from .heads import HEADS, PLACES, answers

UNDECIDED = 0.02
"""A passage is undecided where any label's probability is this far from 0 and from 1."""

AS_IT_IS = Platt(1.0, 0.0)

Ask = Callable[[np.ndarray], np.ndarray]
"""Gives the judge's values (rows, heads) for the places of some passages."""


def agent_at_least(probabilities: np.ndarray) -> np.ndarray:
    """Raise the first label, the agent's presence, to the highest of the others; rounds to 1e-4."""
    raised = probabilities.copy()
    raised[..., 0] = raised.max(axis=-1)
    return np.round(raised, 4)


def label_probabilities(log_odds: np.ndarray) -> np.ndarray:
    """Return the labels' probabilities (passages, labels) of all heads' calibrated log-odds."""
    each = expit(log_odds[:, PLACES["label"]])
    return agent_at_least(np.clip(each, NEARLY_CERTAIN, 1 - NEARLY_CERTAIN))


@dataclass(frozen=True)
class Blend:
    """Calibrations of all heads: `alone` of the verdict's values, `both` with the judge's."""

    alone: list[Platt]
    both: list[Platt] | None

    @classmethod
    def fit(
        cls, values: np.ndarray, judged: np.ndarray | None, examples: Sequence[Example]
    ) -> "Blend":
        """Fit on values (passages, heads) that were predicted out of fold.

        Stances are fitted on portrayals only and evened out: they are compared, not believed.
        Genres keep the verdict's values. A source has one genre, or nearly, so that a calibration
        on other sources has turned some genres round, and the judge knows them by their sources.
        """
        alone: list[Platt] = []
        both: list[Platt] = []
        portrayed = np.array([example.stance != "none" for example in examples])
        for place, (kind, name) in enumerate(HEADS):
            if kind == "genre":
                alone.append(AS_IT_IS)
                both.append(AS_IT_IS)
                continue
            chosen = portrayed if kind == "stance" else np.ones(len(examples), dtype=bool)
            truth = answers(examples, kind, name)[chosen]
            value, even = values[chosen, place], kind == "stance"
            alone.append(fit_platt(value, truth, evened=even))
            if judged is not None:
                other = judged[chosen, place]
                both.append(fit_platt(value, truth, others=other, evened=even))
        return cls(alone, both if judged is not None else None)

    def log_odds(self, values: np.ndarray, ask: Ask | None = None) -> np.ndarray:
        """Return calibrated log-odds (passages, heads); `ask` is called for what is undecided."""
        calibrated = self._apply(self.alone, values)
        if ask is None or self.both is None:
            return calibrated
        beliefs = label_probabilities(calibrated)
        far = (beliefs >= UNDECIDED) & (beliefs <= 1 - UNDECIDED)
        if (rows := np.flatnonzero(far.any(axis=1))).size:
            calibrated[rows] = self._apply(self.both, values[rows], ask(rows))
        return calibrated

    @staticmethod
    def _apply(
        platts: list[Platt], values: np.ndarray, others: np.ndarray | None = None
    ) -> np.ndarray:
        slope, offset, second = (np.array(column) for column in zip(*platts, strict=True))
        return values * slope + offset + (0.0 if others is None else others * second)

    def as_meta(self) -> dict[str, Any]:
        """Return what `meta.json` keeps."""
        names = [" ".join(head) for head in HEADS]
        return {
            "alone": {n: [*p] for n, p in zip(names, self.alone, strict=True)},
            "both": self.both and {n: [*p] for n, p in zip(names, self.both, strict=True)},
        }

    @classmethod
    def of_meta(cls, meta: dict[str, Any]) -> "Blend":
        """Return what `as_meta` kept."""
        alone, both = (
            [Platt(*meta[key][" ".join(head)]) for head in HEADS] if meta[key] else None
            for key in ("alone", "both")
        )
        assert alone is not None
        return cls(alone, both)
