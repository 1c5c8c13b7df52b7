"""Splits: what evaluation holds out, and how much it asks of what is left."""

from dataclasses import dataclass, replace

import numpy as np

from .counted import VOCABULARIES
from .heads import PLACES
from .material import Material, folds_of

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
