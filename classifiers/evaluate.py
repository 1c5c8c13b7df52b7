"""Evaluation: every stage and the whole cascade on works, sources and genres never trained on.

For each split a verdict is trained without the part that is held out, and reads it. Calibrations
and thresholds of a part are then fitted on what was said of all other parts. The judge's values
were made without the passage's whole source (`teach`), so that they are honest for every split but
that by genre, where the judge had seen the genre elsewhere.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from ..labels.labelled import Example
from ..labels.lexicon import read_lexicon
from ..labels.taxonomy import BEHAVIOURS, GENRES, LABELS, STANCES
from .attachment import FEATURES
from .blend import Blend, label_probabilities
from .calibration import best_f1_threshold
from .gate import Gate
from .heads import HEADS, PLACES, answers, fit_heads
from .material import Material, Values, folds_of
from .metrics import figures_of, macro_f1, precision_recall_f1
from .representation import VOCABULARIES, Representation, numbers_of
from .screen import FILE as SCREEN_FILE
from .screen import Screen
from .screen_training import train_screen
from .train import FOLDS, screen_thresholds

FEWEST = 10
"""Positives of any portrayal that a source or genre has for a split of its own."""

WHOLE: tuple[str, ...] = ()
WORDS_ALONE = ("pieces", "nearby", "numbers")
ABLATIONS = tuple((name,) for name in (*VOCABULARIES, "numbers"))
"""What is left out of the representation, each in turn."""

ALL_KINDS = tuple(PLACES)


@dataclass(frozen=True)
class Split:
    """Parts that are held out one after the other.

    Attributes:
        name: what a part is: folds of works, folds of sources, a source, a genre.
        parts: each passage's part; those of -1 are always learnt from and never predicted.
        names: of the parts, in order.
        kinds: the kinds of head that are asked.
        variants: what is left out of the representation, once each.
        screened: whether a screen is trained too.
    """

    name: str
    parts: np.ndarray
    names: list[str]
    kinds: tuple[str, ...] = ALL_KINDS
    variants: tuple[tuple[str, ...], ...] = (WHOLE,)
    screened: bool = True


def splits_of(passages: Material, *, folds: int, seed: int) -> list[Split]:
    """Return the splits by work, by folds of sources, by source and by genre."""
    examples = passages.examples
    # What was written for the purpose is learnt from only, unless there is nothing else.
    aside = np.array([not e.source for e in examples])
    aside &= not aside.all()
    by_work = [e.model_copy(update={"source": ""}) for e in examples]
    names = [f"fold {k}" for k in range(folds)]
    splits = [
        Split("work", folds_of(by_work, count=folds, seed=seed), names),
        Split(
            "sources", folds_of(examples, count=folds, seed=seed), names, ("label",),
            (WHOLE, *ABLATIONS, WORDS_ALONE), screened=False,
        ),
        Split("source", *_by_value(passages.sources, passages), ALL_KINDS[:3]),
        Split(
            "genre", *_by_value([e.genre for e in examples], passages), ("label",), screened=False
        ),
    ]  # fmt: skip
    return [
        replace(split, parts=np.where(aside, -1, split.parts))
        for split in splits
        if len(split.names) > 1
    ]


def _by_value(values: list[str], passages: Material) -> tuple[np.ndarray, list[str]]:
    """Return parts: one for each value with enough positives, the rest held out together."""
    array, truth = np.array(values), passages.truth[:, 1:]
    own = [v for v in np.unique(array).tolist() if v and truth[array == v].sum(0).max() >= FEWEST]
    parts = np.array([own.index(v) if v in own else len(own) if v else -1 for v in values])
    return parts, [*own, "others"] if (parts == len(own)).any() else own


def _part_values(
    passages: Material,
    held: np.ndarray,
    learn: np.ndarray,
    *,
    without: tuple[str, ...],
    kinds: tuple[str, ...],
    seed: int,
) -> np.ndarray:
    """Train a verdict on some passages and return its values (passages, heads) of others."""
    part, rest = passages.take(learn), passages.take(held)
    representation, rows = Representation.fit(part.texts, part.evidence, without=without)
    weights = fit_heads(rows, part.examples, seed=seed, kinds=kinds)
    return representation.rows(rest.texts, rest.evidence) @ weights[:-1] + weights[-1]


def _part_screen(
    passages: Material, held: np.ndarray, learn: np.ndarray, *, seed: int
) -> np.ndarray:
    """Train a screen on some passages and return its scores (passages, labels) of others."""
    with TemporaryDirectory() as folder:
        part, path = passages.take(learn), Path(folder, SCREEN_FILE)
        model = train_screen(part.texts, part.truth.tolist(), seed=seed, path=path)
        return Screen(model, [None] * len(LABELS)).score(passages.take(held).texts)


Run = Callable[..., np.ndarray]


def _cross(
    pool: ProcessPoolExecutor, run: Run, passages: Material, split: Split
) -> Callable[[], np.ndarray]:
    """Start `run` for each part of a split; calling the result waits, and joins what came."""
    places = [np.flatnonzero(split.parts == k) for k in range(len(split.names))]
    jobs = [
        pool.submit(run, passages, held, np.flatnonzero(split.parts != k))
        for k, held in enumerate(places)
    ]

    def joined() -> np.ndarray:
        found = [job.result() for job in jobs]
        values = np.zeros((len(split.parts), found[0].shape[1]))
        for held, part in zip(places, found, strict=True):
            values[held] = part
        return values

    return joined


@dataclass(frozen=True)
class _Said:
    """What one model says of the passages of a split; each part by the others' calibrations."""

    probabilities: np.ndarray
    decided: np.ndarray
    stance: np.ndarray
    genre: np.ndarray
    behaviours: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, judged: np.ndarray | None, passages: Material, split: Split):
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
        genres = softmax(here[:, PLACES["genre"]], axis=1).argmax(axis=1)
        self.genre[held] = np.array(GENRES, dtype=object)[genres]
        for k, (name, column) in enumerate(zip(BEHAVIOURS, PLACES["behaviour"], strict=True)):
            least = best_f1_threshold(expit(there[:, column]), answers(examples, "behaviour", name))
            self.behaviours[held, k] = (expit(here[:, column]) >= least) & portrayed


def _rows_of(
    model: str, said: _Said, passages: Material, split: Split, *, stopped: np.ndarray | None = None
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
    said: _Said, model: str, passages: Material, split: Split
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


def _split_rows(
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
    unread = np.zeros(len(HEADS))
    theirs = None
    if all(passages.examples[i].id in judged for i in known):
        theirs = np.array([judged.get(example.id, unread) for example in passages.examples])
    for without, found in values.items():
        said = _Said.of(found, None, passages, split)
        model = "verdict" if without == WHOLE else f"verdict without {without[0]}"
        model = "tfidf" if without == WORDS_ALONE else model
        rows += _rows_of(model, said, passages, split)
        rows += _shared_rows(said, model, passages, split)
        if without != WHOLE:
            continue
        if theirs is not None:
            said = _Said.of(found, theirs, passages, split)
            rows += _rows_of("judge", said, passages, split)
            rows += _shared_rows(said, "judge", passages, split)
        if screen is not None:
            first, stopped = _first_stages(passages, counts > 0, screen, split)
            rows += first
            rows += _rows_of("cascade", said, passages, split, stopped=stopped[:, None])
    return rows


def evaluate(
    examples: Sequence[Example],
    *,
    judged: Values | None = None,
    folds: int = FOLDS,
    seed: int = 17,
    workers: int = 1,
) -> list[dict[str, Any]]:
    """Train without each part of each split, read the part, and return rows of figures.

    Rows have `split` (work, sources in folds, source, genre), `held_out` (a source or genre, or all
    together), `model` (gate, screen, keywords, fasttext, tfidf, verdict, judge, cascade, or a
    verdict without something), `question` (a label, stance, genre, behaviours) and the figures that
    apply:
    `passages`, `positives`, `average_precision` with a 95 % bootstrap interval over works,
    `precision_at_recall_0.5` and `_0.9`, `precision`, `recall`, `f1` at the threshold of best F1
    elsewhere, `calibration_error` (ten bins), `brier`, `passes_on`, `microseconds`. `judge` is the
    verdict with the judge on what is undecided, `cascade` the same behind gate and screen. F1 of
    stance is macro over portrayals' true stances, of genre over genres, of behaviours micro.

    Args:
        examples: labelled passages; those without a source are learnt from in splits by source.
        judged: the judge's values, out of fold, by id; without those of all there is no judge.
        folds: how many folds by work.
        seed: of folds, solvers and bootstrap.
        workers: processes that train side by side; they do not change the figures.

    Raises:
        LabelsError: there are fewer works than folds.
    """
    clock = time.perf_counter()
    passages = Material.of(examples)
    micros = {"evidence": (time.perf_counter() - clock) / len(examples) * 1e6}
    gate = Gate(read_lexicon())
    counts = np.array([len(gate.matches(e.text.encode())) for e in examples])
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        started = [
            (
                split,
                _cross(pool, partial(_part_screen, seed=seed), passages, split)
                if split.screened
                else None,
                {
                    without: _cross(
                        pool,
                        partial(_part_values, without=without, kinds=split.kinds, seed=seed),
                        passages,
                        split,
                    )
                    for without in split.variants
                },
            )
            for split in splits_of(passages, folds=folds, seed=seed)
        ]
        for split, screen, values in started:
            found = {without: get() for without, get in values.items()}
            rows += _split_rows(passages, split, counts, screen and screen(), found, judged or {})
    rows += [{"model": name, "microseconds": value} for name, value in micros.items()]
    return rows
