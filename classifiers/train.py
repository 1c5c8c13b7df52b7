"""Training: from labelled passages to a models folder, bit for bit the same each time.

Thresholds and calibrations are always fitted out of fold, on scores of screens and decision values
of verdicts that were not trained on the passage. Folds never split a work.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
import xxhash

from ..labels.labelled import read_examples
from ..labels.lexicon import lexicon_digest
from ..labels.taxonomy import BEHAVIOURS, LABELS, taxonomy_digest
from .attachment import FEATURES
from .calibration import best_f1_threshold, fit_platt, log_odds, recall_threshold
from .heads import HEADS, PLACES, answers, fit_heads
from .material import Material
from .meta import FORMAT
from .representation import Representation, numbers_of
from .screen import FILE as SCREEN_FILE
from .screen import Screen
from .screen_training import train_screen
from .verdict import agent_at_least, noisy_or

FOLDS = 5
SCREEN_RECALL = 0.97
LIBRARIES = ("fasttext-numpy2-wheel", "numpy", "scikit-learn", "scipy", "spacy")


def _screen_scores(
    material: Material, folds: list[tuple[np.ndarray, np.ndarray]], *, seed: int
) -> np.ndarray:
    """Return each passage's scores by a screen that was trained on the other folds."""
    scores = np.zeros((len(material.examples), len(LABELS)))
    with TemporaryDirectory() as folder:
        for learn, predict in folds:
            part = material.take(learn)
            path = Path(folder, SCREEN_FILE)
            model = train_screen(part.texts, part.truth.tolist(), seed=seed, path=path)
            screen = Screen(model, [None] * len(LABELS))
            scores[predict] = screen.score(material.take(predict).texts)
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
    material: Material,
    numbers: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    *,
    seed: int,
) -> np.ndarray:
    """Return decision values of labels and behaviours by verdicts trained on the other folds."""
    values = np.zeros((len(material.examples), len(HEADS)))
    for learn, predict in folds:
        part, rest = material.take(learn), material.take(predict)
        representation, rows = Representation.fit(part.texts, numbers[learn])
        weights = fit_heads(rows, part.examples, seed=seed, kinds=("label", "behaviour"))
        values[predict] = representation.rows(rest.texts, numbers[predict]) @ weights[:-1]
        values[predict] += weights[-1]
    return values


def _calibrations(material: Material, values: np.ndarray) -> dict[str, Any]:
    """Fit calibrations and thresholds of passages, documents and behaviours."""
    truth = material.truth
    platts = [fit_platt(values[:, k], truth[:, k]) for k in range(len(LABELS))]
    probabilities = agent_at_least(
        np.stack([platt.probability(values[:, k]) for k, platt in enumerate(platts)], axis=1)
    )
    names = [example.document or example.work for example in material.examples]
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    documents = log_odds(np.array([noisy_or(probabilities[rows]) for rows in places.values()]))
    document_truth = np.array([truth[rows].any(axis=0) for rows in places.values()])
    meta: dict[str, Any] = {"passage": {}, "document": {}, "behaviours": {}}
    for place, label in enumerate(LABELS):
        meta["passage"][label] = {
            "platt": [*platts[place]],
            "threshold": best_f1_threshold(probabilities[:, place], truth[:, place]),
        }
        platt = fit_platt(documents[:, place], document_truth[:, place])
        judged = platt.probability(documents[:, place])
        meta["document"][label] = {
            "platt": [*platt],
            "threshold": best_f1_threshold(judged, document_truth[:, place]),
        }
    for name, column in zip(BEHAVIOURS, PLACES["behaviour"], strict=True):
        shown = answers(material.examples, "behaviour", name)
        meta["behaviours"][name] = {
            "threshold": best_f1_threshold(values[:, column], shown),
            "positives": int(shown.sum()),
        }
    return meta


def fit_stages(material: Material, out: Path, *, seed: int, folds: int = FOLDS) -> dict[str, Any]:
    """Train all stages on some material, write the models folder and return its `meta.json`."""
    out.mkdir(parents=True, exist_ok=True)
    split = material.folds(count=folds, seed=seed)
    texts, truth = material.texts, material.truth
    scores = _screen_scores(material, split, seed=seed)
    train_screen(texts, truth.tolist(), seed=seed, path=out / SCREEN_FILE)
    numbers = numbers_of(material.evidence)
    values = _decision_values(material, numbers, split, seed=seed)
    representation, rows = Representation.fit(texts, numbers)
    weights = fit_heads(rows, material.examples, seed=seed)
    arrays = {"weights": weights[:-1], "intercepts": weights[-1], **representation.save(out)}
    np.savez_compressed(out / "verdict.npz", **arrays)
    thresholds = screen_thresholds(scores, truth)
    meta = {
        "format": FORMAT,
        "seed": seed,
        "folds": folds,
        "features": list(FEATURES),
        "screen": dict(zip(LABELS, thresholds, strict=True)),
        **_calibrations(material, values),
    }
    (out / "meta.json").write_bytes(orjson.dumps(meta, option=orjson.OPT_INDENT_2))
    return meta


def train(
    examples: Sequence[Path], out: Path, *, seed: int = 17, folds: int = FOLDS
) -> dict[str, Any]:
    """Train all stages from files of labelled passages; returns what `meta.json` holds.

    The same files and seed give the same bytes on one CPU architecture and set of libraries.

    Args:
        examples: JSONL files of labelled passages.
        out: the models folder to write; it is made where it is missing.
        seed: of the folds and the solvers.
        folds: how often calibrations and thresholds see passages that were left out.

    Raises:
        LabelsError: a file is malformed, or there are too few works.
        ModelError: fastText's training failed.
    """
    passages = read_examples(examples)
    meta = fit_stages(Material.of(passages), out, seed=seed, folds=folds)
    meta |= {
        "taxonomy_digest": taxonomy_digest(),
        "lexicon_digest": lexicon_digest(),
        "examples": {
            path.name: {
                "digest": xxhash.xxh3_64_hexdigest(path.read_bytes()),
                "passages": len(read_examples([path])),
            }
            for path in examples
        },
        "counts": {
            "passages": len(passages),
            "works": len({example.work for example in passages}),
            **{label: sum(getattr(e, label) for e in passages) for label in LABELS},
        },
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
    }
    (out / "meta.json").write_bytes(orjson.dumps(meta, option=orjson.OPT_INDENT_2))
    return meta
