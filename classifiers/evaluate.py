"""Evaluation: every stage and the whole cascade on works, sources and genres never trained on.

For each split a verdict is trained without the part that is held out, and reads it. Calibrations
and thresholds of a part are then fitted on what was said of all other parts. The judge's values
were made without the passage's whole source (`teach`), so that they are honest for every split but
that by genre, where the judge had seen the genre elsewhere.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from ..labels.labelled import Example
from .figures import split_rows
from .heads import fit_heads
from .material import Material, Values
from .representation import Representation
from .splits import Split, splits_of
from .train import FOLDS, held_out_scores


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
    representation, rows = Representation.fit(part.counted, part.evidence, without=without)
    weights = fit_heads(rows, part.examples, seed=seed, kinds=kinds)
    return representation.rows(rest.texts, rest.evidence) @ weights[:-1] + weights[-1]


Run = Callable[..., np.ndarray]

_HERE: list[Material] = []
"""A worker's passages, some 200 MB: sent to it once, and not with each of its parts."""


def _hold(passages: Material) -> None:
    _HERE.append(passages)


def _run_here(run: Run, held: np.ndarray, learn: np.ndarray) -> np.ndarray:
    return run(_HERE[0], held, learn)


def _cross(pool: ProcessPoolExecutor, run: Run, split: Split) -> Callable[[], np.ndarray]:
    """Start `run` for each part of a split; calling the result waits, and joins what came."""
    places = [np.flatnonzero(split.parts == k) for k in range(len(split.names))]
    jobs = [
        pool.submit(_run_here, run, held, np.flatnonzero(split.parts != k))
        for k, held in enumerate(places)
    ]

    def joined() -> np.ndarray:
        found = [job.result() for job in jobs]
        values = np.zeros((len(split.parts), found[0].shape[1]))
        for held, part in zip(places, found, strict=True):
            values[held] = part
        return values

    return joined


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
    apply: `passages`, `positives`, `average_precision` with a 95 % bootstrap interval over works,
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
    microseconds = (time.perf_counter() - clock) / len(examples) * 1e6
    passages = passages.with_terms()
    counts = np.array([len(window.terms) for window in passages.windows])
    rows: list[dict[str, Any]] = []
    spawn = get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=spawn, initializer=_hold, initargs=(passages,)
    ) as pool:
        started = [
            (
                split,
                _cross(pool, partial(held_out_scores, seed=seed), split)
                if split.screened
                else None,
                {
                    without: _cross(
                        pool,
                        partial(_part_values, without=without, kinds=split.kinds, seed=seed),
                        split,
                    )
                    for without in split.variants
                },
            )
            for split in splits_of(passages, folds=folds, seed=seed)
        ]
        for split, screen, values in started:
            found = {without: get() for without, get in values.items()}
            rows += split_rows(passages, split, counts, screen and screen(), found, judged or {})
    return [*rows, {"model": "evidence", "microseconds": microseconds}]
