"""Teaching the judge: fine-tuned on all labels, and once more without each fold of sources.

Beside the judge stands a file of numbers, with which `train` needs neither torch nor the judge:
what judges that had not seen a passage's source say of every labelled passage, so that the verdict
can be blended with the judge honestly. Values are log-odds in steps of 1/16, as int8.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..labels.labelled import Example
from .heads import HEADS
from .material import Values, source_folds

OUT_OF_FOLD = "out_of_fold.parquet"
FOLDS = 3
STEPS = 16
"""Steps of a log-odd that are kept."""


def packed(values: np.ndarray) -> pa.FixedSizeListArray:
    """Return log-odds as a column of int8 lists."""
    steps = np.clip(np.rint(values * STEPS), -127, 127).astype(np.int8)
    return pa.FixedSizeListArray.from_arrays(pa.array(steps.ravel()), len(HEADS))


def unpacked(column: pa.ChunkedArray) -> np.ndarray:
    """Return the log-odds that `packed` kept: an array (passages, `len(HEADS)`)."""
    flat = column.combine_chunks().flatten().to_numpy()
    return flat.reshape(-1, len(HEADS)) / STEPS


def out_of_fold(folder: Path) -> Values:
    """Return what `teach` kept of labelled passages: log-odds of all heads by id; none without."""
    if not (folder / OUT_OF_FOLD).is_file():
        return {}
    table = pq.read_table(folder / OUT_OF_FOLD, columns=["id", "values"])
    return dict(zip(table["id"].to_pylist(), unpacked(table["values"]), strict=True))


def _fold(learn: list[Example], texts: list[str], *, seed: int, epochs: int) -> np.ndarray:
    from .encoder import fine_tune, values_of

    return values_of(fine_tune(learn, seed=seed, epochs=epochs), texts)


def _whole(learn: list[Example], *, out: Path, seed: int, epochs: int) -> None:
    from .encoder import export, fine_tune

    export(fine_tune(learn, seed=seed, epochs=epochs), out)


def teach(
    examples: Sequence[Example],
    out: Path,
    *,
    others: Sequence[Example] = (),
    seed: int,
    epochs: int,
    workers: int = 1,
) -> None:
    """Fine-tune the judge, once without each fold of sources and once on all, and write `out`.

    Args:
        examples: labelled passages; those without a source are learnt from in every fold.
        out: the judge's folder; it is made where it is missing.
        others: passages to be read out of fold, but not learnt from: windows of labelled documents.
        seed: of the initial heads and the order of the passages.
        epochs: how often each passage is learnt from.
        workers: processes, of one thread each.
    """
    out.mkdir(parents=True, exist_ok=True)
    read = [*examples, *others]
    fold_of = source_folds([example.source for example in read], folds=FOLDS)
    folds = np.array([fold_of.get(example.source, -1) for example in read])
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        whole = pool.submit(partial(_whole, out=out, seed=seed, epochs=epochs), list(examples))
        parts = {
            fold: pool.submit(
                partial(_fold, seed=seed, epochs=epochs),
                [e for e, f in zip(examples, folds, strict=False) if f != fold],
                [e.text for e, f in zip(read, folds, strict=True) if f == fold],
            )
            for fold in range(FOLDS)
        }
        held_out = np.flatnonzero(folds >= 0)
        values = np.zeros((len(read), len(HEADS)))
        for fold, part in parts.items():
            values[folds == fold] = part.result()
        pq.write_table(
            pa.table(
                {
                    "id": [read[i].id for i in held_out],
                    "fold": pa.array(folds[held_out], pa.int8()),
                    "values": packed(values[held_out]),
                }
            ),
            out / OUT_OF_FOLD,
        )
        whole.result()
