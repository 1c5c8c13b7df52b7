"""Training: from labelled passages to a models folder, bit for bit the same each time.

Thresholds and calibrations are always fitted out of fold, on scores of screens and decision values
of verdicts that were not trained on the passage, nor on any of its source: what they promise is
meant for sources never seen.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
from scipy.special import expit

from ..labels.labelled import Example
from ..labels.lexicon import lexicon_digest
from ..labels.taxonomy import BEHAVIOURS, LABELS, taxonomy_digest
from .attachment import FEATURES
from .blend import Blend, label_probabilities
from .calibration import best_f1_threshold, fit_platt, log_odds, recall_threshold
from .heads import HEADS, PLACES, answers, fit_heads
from .material import Material, Supply, Values, folds_of
from .meta import FORMAT
from .representation import Representation
from .screen import FILE as SCREEN_FILE
from .screen import Screen
from .screen_training import train_screen
from .verdict import noisy_or

FOLDS = 5
SCREEN_RECALL = 0.97
LIBRARIES = ("fasttext-numpy2-wheel", "numpy", "scikit-learn", "scipy", "spacy")


def held_out_scores(
    passages: Material, held: np.ndarray, learn: np.ndarray, *, seed: int
) -> np.ndarray:
    """Train a screen on some passages and return its scores (passages, labels) of others."""
    with TemporaryDirectory() as folder:
        part, path = passages.take(learn), Path(folder, SCREEN_FILE)
        model = train_screen(part.windows, part.examples, seed=seed, path=path)
        return Screen(model, [None] * len(LABELS)).score(passages.take(held).windows)


def _screen_scores(passages: Material, folds: np.ndarray, *, seed: int) -> np.ndarray:
    """Return each passage's scores by a screen that was trained on the other folds."""
    scores = np.zeros((len(passages.examples), len(LABELS)))
    for fold in np.unique(folds[folds >= 0]):
        held, learn = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        scores[held] = held_out_scores(passages, held, learn, seed=seed)
    return scores


def screen_thresholds(scores: np.ndarray, truth: np.ndarray) -> list[float | None]:
    """Choose the cheapest thresholds under which the screen keeps enough of each label.

    A positive passage may go on by any label's score. Labels are taken in order; one gets a
    threshold of its own only where those before it do not find `SCREEN_RECALL` of its positives.
    """
    thresholds: list[float | None] = []
    passing = np.zeros(len(scores), dtype=bool)
    for place in range(len(LABELS)):
        positive = truth[:, place]
        threshold = None
        if positive.any() and passing[positive].mean() < SCREEN_RECALL:
            found = np.where(passing, np.inf, scores[:, place])
            threshold = recall_threshold(found, positive, recall=SCREEN_RECALL)
            passing |= scores[:, place] >= threshold
        thresholds.append(threshold)
    return thresholds


def _decision_values(
    supply: Supply, folds: np.ndarray, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of passages and of documents' windows, by verdicts of the other folds."""
    values = np.zeros((len(folds), len(HEADS)))
    of_windows = np.zeros((len(supply.windows.examples), len(HEADS)))
    fold_of = dict(zip(supply.passages.sources, folds.tolist(), strict=True))
    window_folds = np.array([max(0, fold_of.get(s, 0)) for s in supply.windows.sources])
    for fold in np.unique(folds[folds >= 0]):
        part = supply.passages.take(np.flatnonzero(folds != fold))
        representation, rows = Representation.fit(part.counted, part.evidence)
        weights = fit_heads(rows, part.examples, seed=seed)
        for material, target, places in (
            (supply.passages, values, np.flatnonzero(folds == fold)),
            (supply.windows, of_windows, np.flatnonzero(window_folds == fold)),
        ):
            if places.size:
                held = material.take(places)
                found = representation.rows(held.texts, held.evidence)
                target[places] = found @ weights[:-1] + weights[-1]
    return values, of_windows


def _document_values(
    windows: Material, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return per document: log-odds of the noisy-or, the answers, and the number of windows."""
    places: dict[str, list[int]] = {}
    for place, example in enumerate(windows.examples):
        places.setdefault(example.document, []).append(place)
    together = [log_odds(noisy_or(probabilities[rows])) for rows in places.values()]
    truth = windows.truth[[rows[0] for rows in places.values()]]
    return np.array(together), truth, np.array([len(rows) for rows in places.values()])


def _calibrations(
    supply: Supply, folds: np.ndarray, values: np.ndarray, of_windows: np.ndarray
) -> dict[str, Any]:
    """Fit calibrations and thresholds of passages, behaviours and documents.

    Thresholds are those of passages as they are read where the judge is at hand, if there is one.
    """
    known = np.flatnonzero(folds >= 0)
    passages = supply.passages.take(known)
    judged = passages.judged(supply.judged) if supply.judged else None
    blend = Blend.fit(values[known], judged, passages.examples)
    ask = None if judged is None else lambda rows: judged[rows]
    believed = blend.log_odds(values[known], ask)
    probabilities = label_probabilities(believed)
    meta: dict[str, Any] = {"blend": blend.as_meta(), "passage": {}, "document": {}}
    for place, label in enumerate(LABELS):
        threshold = best_f1_threshold(probabilities[:, place], passages.truth[:, place])
        meta["passage"][label] = {"threshold": threshold}
    meta["behaviours"] = {}
    for name, column in zip(BEHAVIOURS, PLACES["behaviour"], strict=True):
        shown = answers(passages.examples, "behaviour", name)
        chance = expit(believed[:, column])
        meta["behaviours"][name] = {
            "threshold": best_f1_threshold(chance, shown),
            "positives": int(shown.sum()),
        }
    meta["document"] = _documents(supply, blend, of_windows, meta["passage"])
    return meta


def _documents(
    supply: Supply, blend: Blend, of_windows: np.ndarray, passage: dict[str, Any]
) -> dict[str, Any]:
    """Calibrate documents of several windows; without any, passages' thresholds serve them too."""
    windows = supply.windows
    plain = {"platt": [1.0, 0.0], "judged_platt": [1.0, 0.0]}
    if not windows.examples:
        return {label: {**plain, "threshold": passage[label]["threshold"]} for label in LABELS}
    judged = windows.judged(supply.judged) if supply.judged else None
    ask = None if judged is None else lambda rows: judged[rows]
    meta: dict[str, Any] = {label: {} for label in LABELS}
    for name, how in (("platt", None), ("judged_platt", ask)):
        probabilities = label_probabilities(blend.log_odds(of_windows, how))
        together, truth, sizes = _document_values(windows, probabilities)
        for place, label in enumerate(LABELS):
            several = sizes > 1
            platt = fit_platt(together[several, place], truth[several, place])
            values = together[:, place]
            believed = np.where(several, platt.probability(values), expit(values))
            meta[label][name] = [*platt]
            meta[label]["threshold"] = best_f1_threshold(believed, truth[:, place])
    return meta


def _fit_stages(supply: Supply, out: Path, *, seed: int, folds: int) -> dict[str, Any]:
    """Train all stages, write their files and return what `meta.json` is to say of them."""
    out.mkdir(parents=True, exist_ok=True)
    passages = supply.passages
    split = folds_of(passages.examples, count=folds, seed=seed)
    held = split >= 0
    scores = _screen_scores(passages, split, seed=seed)
    train_screen(passages.windows, passages.examples, seed=seed, path=out / SCREEN_FILE)
    values, of_windows = _decision_values(supply, split, seed=seed)
    representation, rows = Representation.fit(passages.counted, passages.evidence)
    weights = fit_heads(rows, passages.examples, seed=seed)
    arrays = {"weights": weights[:-1], "intercepts": weights[-1], **representation.save(out)}
    np.savez_compressed(out / "verdict.npz", **arrays)
    thresholds = screen_thresholds(scores[held], passages.truth[held])
    return {
        "format": FORMAT,
        "seed": seed,
        "folds": folds,
        "features": list(FEATURES),
        "screen": dict(zip(LABELS, thresholds, strict=True)),
        **_calibrations(supply, split, values, of_windows),
    }


def train(
    examples: Sequence[Example],
    out: Path,
    *,
    windows: Sequence[Example] = (),
    judged: Values | None = None,
    inputs: dict[str, str] | None = None,
    seed: int,
    folds: int = FOLDS,
) -> dict[str, Any]:
    """Train screen and verdict from labelled passages, and return what `meta.json` says.

    Args:
        examples: labelled passages.
        out: the models folder to write; it is made where it is missing.
        windows: of labelled whole documents, for the documents' calibration.
        judged: what judges said of passages and windows out of fold, by id.
        inputs: digests of the files that all this came from, to be written down.
        seed: of the folds and the solvers.
        folds: how often calibrations and thresholds see sources that were left out.

    Raises:
        LabelsError: there are too few works.
        ModelError: fastText's training failed.
    """
    supply = Supply(Material.of(examples).with_terms(), Material.of(windows), judged or {})
    meta = _fit_stages(supply, out, seed=seed, folds=folds)
    meta |= {
        "taxonomy_digest": taxonomy_digest(),
        "lexicon_digest": lexicon_digest(),
        "inputs": inputs or {},
        "counts": {
            "passages": len(examples),
            "documents": len({window.document for window in windows}),
            "sources": len({example.source for example in examples} - {""}),
            "works": len({example.work for example in examples}),
            **{label: sum(getattr(e, label) for e in examples) for label in LABELS},
        },
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
    }
    (out / "meta.json").write_bytes(orjson.dumps(meta, option=orjson.OPT_INDENT_2))
    return meta
