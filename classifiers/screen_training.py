"""Training the screen in a process of its own, so that the same passages give the same bytes.

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
from ..labels.taxonomy import LABELS
from .screen import PREFIX, even

SETTINGS = {
    "loss": "ova", "dim": 16, "epoch": 30, "lr": 0.1, "wordNgrams": 1, "minCount": 2,
    "bucket": 0, "thread": 1, "verbose": 0,
}  # fmt: skip

# glibc fills a new block with the complement of MALLOC_PERTURB_, so that 255 means zeros.
ZEROED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_PERTURB_": "255"}

LARGEST_WEIGHT = 1e3
"""Weights beyond this show that training started from foreign memory."""


def train_screen(
    texts: Sequence[str], labels: Sequence[Sequence[bool]], *, seed: int, path: Path
) -> Any:
    """Train a screen in a fresh process, write it to `path` and return the fastText model.

    Args:
        texts: passages, as they are.
        labels: for each passage its answers in the order of `LABELS`; one with none is trained
            towards a label of its own, `none`.

    Raises:
        ModelError: the training process failed, or its weights are not sane.
    """
    with TemporaryDirectory() as folder:
        lines = Path(folder, "passages.txt")
        with lines.open("w", encoding="utf-8") as file:
            for text, answers in zip(texts, labels, strict=True):
                names = [name for name, yes in zip(LABELS, answers, strict=True) if yes] or ["none"]
                file.write(" ".join(PREFIX + name for name in names) + f" {even(text)}\n")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", __spec__.name, str(lines), str(path), str(seed)],
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
    source, target, number = sys.argv[1:]
    fasttext.train_supervised(input=source, seed=int(number), **SETTINGS).save_model(target)
