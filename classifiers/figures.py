"""Figures of a split: what the stages say of its held-out parts, as rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from ..labels.labelled import Example
from ..labels.taxonomy import BEHAVIOURS, GENRES, LABELS, STANCES
from .attachment import FEATURES
from .blend import Blend, label_probabilities
from .calibration import best_f1_threshold
from .heads import HEADS, PLACES, answers
from .material import Material, Values
from .metrics import figures_of, macro_f1, precision_recall_f1
from .representation import numbers_of
from .splits import FEWEST, WHOLE, WORDS_ALONE, Split
from .train import screen_thresholds


@dataclass(frozen=True)
class Said:
    """What one model says of the passages of a split; each part by the others' calibrations."""

    probabilities: np.ndarray
    decided: np.ndarray
    stance: np.ndarray
    genre: np.ndarray
    behaviours: np.ndarray

    @classmethod
    def of(
        cls, values: np.ndarray, judged: np.ndarray | None, passages: Material, split: Split
    ) -> "Said":
        """Calibrate values out of part, with the judge where its values are given."""
        count = len(values)
        said = cls(
            np.zeros((count, len(LABELS))), np.zeros((count, len(LABELS)), dtype=bool),
            np.full(count, "none", dtype=object), np.full(count, "other", dtype=object),
            np.zeros((count, len(BEHAVIOURS)), dtype=bool),
        )  # fmt: skip
        for part in range(len(split.names)):
            fit = np.flatnonzero((split.parts != part) & (split.parts >= 0))
            held = np.flatnonzero(split.parts == part)
            examples = [passages.examples[i] for i in fit]
            blend = Blend.fit(values[fit], None if judged is None else judged[fit], examples)
            believed: list[np.ndarray] = []
            for places in (fit, held):
                ask = None
                if judged is not None:
                    ask = partial(lambda rows, chosen: judged[chosen[rows]], chosen=places)
                believed.append(blend.log_odds(values[places], ask))
            said._decide(held, believed[1], believed[0], examples)
        return said

    def _decide(
        self, held: np.ndarray, here: np.ndarray, there: np.ndarray, examples: list[Example]
    ) -> None:
        known, found = label_probabilities(there), label_probabilities(here)
        self.probabilities[held] = found
        for k, label in enumerate(LABELS):
            threshold = best_f1_threshold(known[:, k], answers(examples, "label", label))
            self.decided[held, k] = found[:, k] >= threshold
        portrayed = self.decided[held, 1:].any(axis=1)
        stances = np.array(STANCES[:4], dtype=object)[here[:, PLACES["stance"]].argmax(axis=1)]
        self.stance[held] = np.where(portrayed, stances, "none")
        genres = here[:, PLACES["genre"]].argmax(axis=1)
        self.genre[held] = np.array(GENRES, dtype=object)[genres]
        for k, (name, column) in enumerate(zip(BEHAVIOURS, PLACES["behaviour"], strict=True)):
            least = best_f1_threshold(expit(there[:, column]), answers(examples, "behaviour", name))
            self.behaviours[held, k] = (expit(here[:, column]) >= least) & portrayed


def _rows_of(
    model: str, said: Said, passages: Material, split: Split, *, stopped: np.ndarray | None = None
) -> Iterator[dict[str, Any]]:
    """Yield rows for all passages of a split together, and for each part by itself."""
    works = np.array([e.work for e in passages.examples], dtype=object)
    scores = said.probabilities if stopped is None else np.where(stopped, 0.0, said.probabilities)
    decided = said.decided if stopped is None else said.decided & ~stopped
    parts = [("all", np.flatnonzero(split.parts >= 0))]
    if split.name in ("source", "genre"):
        parts += [(n, np.flatnonzero(split.parts == k)) for k, n in enumerate(split.names)]
    for part, places in parts:
        for k, label in enumerate(LABELS):
            truth = passages.truth[places, k]
            if part != "all" and truth.sum() < FEWEST:
                continue
            yield {
                "split": split.name, "held_out": part, "model": model, "question": label,
                **figures_of(scores[places, k], truth, works[places]),
                **precision_recall_f1(decided[places, k], truth),
            }  # fmt: skip


def _shared_rows(
    said: Said, model: str, passages: Material, split: Split
) -> Iterator[dict[str, Any]]:
    """Yield the rows of stance, genre and behaviours, as far as the split asks for them."""
    places = np.flatnonzero(split.parts >= 0)
    examples = [passages.examples[i] for i in places]
    head = {"split": split.name, "held_out": "all", "model": model, "passages": len(places)}
    if "stance" in split.kinds:
        stances = np.array([e.stance for e in examples], dtype=object)
        portrayed = stances != "none"
        yield {**head, "question": "stance", "positives": int(portrayed.sum()),
               "f1": macro_f1(said.stance[places][portrayed], stances[portrayed]),
               "f1_with_none": macro_f1(said.stance[places], stances)}  # fmt: skip
    if "genre" in split.kinds:
        genres = np.array([e.genre for e in examples], dtype=object)
        yield {**head, "question": "genre", "positives": len(genres),
               "f1": macro_f1(said.genre[places], genres)}  # fmt: skip
    if "behaviour" in split.kinds:
        shown = np.stack([answers(examples, "behaviour", name) for name in BEHAVIOURS], axis=1)
        yield {**head, "question": "behaviours", "positives": int(shown.sum()),
               **precision_recall_f1(said.behaviours[places], shown)}  # fmt: skip


def _first_stages(
    passages: Material, gated: np.ndarray, screen: np.ndarray, split: Split
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return the rows of gate and screen, and which passages either of them stops."""
    passing = np.zeros(len(gated), dtype=bool)
    for part in range(len(split.names)):
        fit = np.flatnonzero((split.parts != part) & (split.parts >= 0))
        least = screen_thresholds(screen[fit], passages.truth[fit])
        held = split.parts == part
        reached = [screen[:, k] >= t for k, t in enumerate(least) if t is not None]
        passing |= held & np.any(reached, axis=0)
    rows: list[dict[str, Any]] = []
    known = split.parts >= 0
    for model, by, among in (("gate", gated, known), ("screen", passing, known & gated)):
        for k, label in enumerate(LABELS):
            positive = among & passages.truth[:, k]
            rows.append(
                {"split": split.name, "held_out": "all", "model": model, "question": label,
                 "passages": int(among.sum()), "positives": int(positive.sum()),
                 "recall": float(by[positive].mean()), "passes_on": float(by[among].mean())}
            )  # fmt: skip
    return rows, ~(gated & passing)


def _keywords(passages: Material, counts: np.ndarray) -> np.ndarray:
    """Score as a keyword look-up does: the lexicon's terms, times a label's cue words."""
    numbers = numbers_of(passages.evidence)
    scores = np.log1p(counts)[:, None].repeat(len(LABELS), axis=1)
    for k, label in enumerate(LABELS[1:], start=1):
        columns = [FEATURES.index(f"{how}_{label}") for how in ("attached", "unattached")]
        scores[:, k] *= np.expm1(numbers[:, columns]).sum(axis=1)
    return scores


def split_rows(
    passages: Material,
    split: Split,
    counts: np.ndarray,
    screen: np.ndarray | None,
    values: dict[tuple[str, ...], np.ndarray],
    judged: Values,
) -> list[dict[str, Any]]:
    """Return all rows of one split."""
    rows: list[dict[str, Any]] = []
    known = np.flatnonzero(split.parts >= 0)
    works = np.array([passages.examples[i].work for i in known], dtype=object)
    plain = {"keywords": _keywords(passages, counts)} | (
        {} if screen is None else {"fasttext": screen}
    )
    for model, scores in plain.items():
        for k, label in enumerate(LABELS):
            rows.append(
                {"split": split.name, "held_out": "all", "model": model, "question": label,
                 **figures_of(scores[known, k], passages.truth[known, k], works, calibrated=False)}
            )  # fmt: skip
    theirs = None
    if (read := passages.take(known).judged(judged)) is not None:
        theirs = np.zeros((len(split.parts), len(HEADS)))
        theirs[known] = read
    for without, found in values.items():
        said = Said.of(found, None, passages, split)
        model = "verdict" if without == WHOLE else f"verdict without {without[0]}"
        model = "tfidf" if without == WORDS_ALONE else model
        rows += _rows_of(model, said, passages, split)
        rows += _shared_rows(said, model, passages, split)
        if without != WHOLE:
            continue
        if theirs is not None:
            said = Said.of(found, theirs, passages, split)
            rows += _rows_of("judge", said, passages, split)
            rows += _shared_rows(said, "judge", passages, split)
        if screen is not None:
            first, stopped = _first_stages(passages, counts > 0, screen, split)
            rows += first
            rows += _rows_of("cascade", said, passages, split, stopped=stopped[:, None])
    return rows
