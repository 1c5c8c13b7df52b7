"""Training the screen, which begins with what logistic regressions know of each word.

Left to itself, fastText learns words from ten thousand passages worse than a logistic regression
over TF-IDF does. So each word's vector is at first its weights in those, a dimension for each label
and genre, and fastText goes on from there, in a process of its own, so that the same passages give
the same bytes.

fastText starts from memory as it finds it. In a fresh process glibc can be told to map large blocks
anew and to fill small ones with zeros; with one thread and a fixed seed two models are then equal.
Run as a module with the files to read and write.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fasttext
import numpy as np

from ..errors import ModelError
from ..labels.labelled import Example
from ..labels.taxonomy import LABELS
from .counted import FEW
from .heads import PLACES, fit_heads
from .passages import Window
from .screen import PREFIX, line

KNOWN = ("label", "genre")
"""Kinds of head whose weights a word's vector begins with."""

DIMENSIONS = [place for kind in KNOWN for place in PLACES[kind]]

SETTINGS = {
    "loss": "ova", "dim": len(DIMENSIONS), "epoch": 10, "lr": 0.01, "wordNgrams": 1,
    "minCount": 2, "bucket": 0, "thread": 1, "verbose": 0,
}  # fmt: skip

# glibc fills a new block with the complement of MALLOC_PERTURB_, so that 255 means zeros.
ZEROED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_PERTURB_": "255"}

LARGEST_WEIGHT = 1e3
"""Weights beyond this show that training started from foreign memory."""


def word_vectors(
    lines: Sequence[str], examples: Sequence[Example], *, seed: int
) -> tuple[list[str], np.ndarray]:
    """Return words, and what logistic regressions over TF-IDF make of each: (words, dimensions).

    Every dimension has a standard deviation of 1, or is 0 where nothing could be learnt.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    weighing = TfidfVectorizer(
        analyzer=str.split,  # pyright: ignore[reportArgumentType]
        sublinear_tf=True,
        min_df=2 if len(lines) >= FEW else 1,
    )
    rows = weighing.fit_transform(lines)
    weights = fit_heads(rows, examples, seed=seed, kinds=KNOWN)[:-1, DIMENSIONS]
    vectors = weights * weighing.idf_[:, None]
    spread = vectors.std(axis=0)
    return weighing.get_feature_names_out().tolist(), vectors / np.where(spread > 0, spread, 1)


def train_screen(
    windows: Sequence[Window], examples: Sequence[Example], *, seed: int, path: Path
) -> Any:
    """Train a screen, write it to `path` and return the fastText model.

    Args:
        windows: passages with the gate's terms in them.
        examples: the same passages' answers; one that has no label is trained towards a label of
            its own, `none`.

    Raises:
        ModelError: the training process failed, or its weights are not sane.
    """
    lines = [line(window) for window in windows]
    with TemporaryDirectory() as folder:
        passages, vectors = Path(folder, "passages.txt"), Path(folder, "words.vec")
        with passages.open("w", encoding="utf-8") as file:
            for text, example in zip(lines, examples, strict=True):
                names = [n for n, yes in zip(LABELS, example.labels(), strict=True) if yes]
                file.write(" ".join(PREFIX + name for name in names or ["none"]) + f" {text}\n")
        words, weights = word_vectors(lines, examples, seed=seed)
        with vectors.open("w", encoding="utf-8") as file:
            file.write(f"{len(words)} {len(DIMENSIONS)}\n")
            for word, row in zip(words, weights.tolist(), strict=True):
                file.write(f"{word} {' '.join(f'{value:.4f}' for value in row)}\n")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", __spec__.name, *map(str, (passages, vectors, path, seed))],
            env={**os.environ, **ZEROED_MEMORY},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        fault = " ".join(done.stderr.split())[-300:]
        raise ModelError(f"the screen could not be trained ({fault}): are there enough passages?")
    model = fasttext.load_model(str(path))
    for matrix in (model.get_input_matrix(), model.get_output_matrix()):
        if not np.isfinite(matrix).all() or np.abs(matrix).max() > LARGEST_WEIGHT:
            raise ModelError("the screen's weights are not sane: train again, and report the seed")
    return model


if __name__ == "__main__":
    source, known, target, number = sys.argv[1:]
    model = fasttext.train_supervised(
        input=source, pretrainedVectors=known, seed=int(number), **SETTINGS
    )
    model.save_model(target)
