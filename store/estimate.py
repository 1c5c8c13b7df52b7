"""The audited estimate: the share that readers would label, with an interval that holds."""

from dataclasses import dataclass

import numpy as np

from .effective import AuditedCells, Sample
from .intervals import lower_limit, upper_limit

FEW = 5
"""With fewer positives read than this, a share is marked: its upper limit is what was learnt."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """The strata of a population, or of the part of it that a filter leaves.

    `documents` (H,): how many documents each stratum holds, exactly. `size` (H,): what they add up
    to in the unit (bytes, tokens); equal to `documents` where the unit is documents. Where every
    distinct text is to count once, a document's size is one over the number of its copies.
    """

    documents: np.ndarray
    size: np.ndarray

    @classmethod
    def of_documents(cls, documents: np.ndarray) -> "Population":
        """Return the population counted in documents."""
        return cls(documents=np.asarray(documents), size=np.asarray(documents))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its interval; fields are named as in the rows of `stats`.

    `share`, `low`, `high` are in [0, 1]; `numerator` is `share` times `denominator`, in the unit;
    `n_audited` documents of this population were read. `note` says what a reader must know: few
    positives, documents read in part, strata of which nothing was read; else it is empty.
    """

    share: float
    low: float
    high: float
    numerator: float
    denominator: float
    n_audited: int
    note: str


def audited_share(population: Population, sample: Sample, *, level: float = 0.95) -> Estimate:
    """Return the audited share of a population, with its interval.

    A stratum's share is what its sample shows, weighed by size (a ratio estimate; for documents the
    plain mean), and strata add up by their exact size (Cochran, *Sampling Techniques*, 1977, §5.3,
    §6.11): right on average whatever the classifier is worth. `low` and `high` are
    `intervals.profile_interval` at `level` over effective counts, with a finite population
    correction, so that a stratum read whole adds nothing to the width. Raises `TagsError` where the
    sample cannot come from the population.
    """
    return audited_shares(
        population.documents[None],
        population.size[None],
        sample,
        np.zeros(len(sample.stratum), dtype=np.int64),
        level=level,
    )[0]


def audited_shares(
    documents: np.ndarray,
    size: np.ndarray,
    sample: Sample,
    group: np.ndarray,
    *,
    level: float = 0.95,
) -> list[Estimate]:
    """Return the audited share of each of G groups, in order, as `audited_share` does of one.

    `documents`, `size` (G, H): exact totals of each cell, group by stratum. `group` (n,): the group
    of each audited document, 0 to G-1; -1 for one of no group, which is left out. A cell's sample
    is simple random given its size, so that groups need no draw of their own.

    Small groups lean on the others in two ways, and no more. In `share`, a cell of which nothing
    was read takes the rate of its stratum in the other groups; the note says how much was borrowed.
    In `high`, a cell holds at most what the whole stratum can. `low` leans on nothing. Pass
    `level=simultaneous(0.95, G)` where all G intervals are to hold at once.
    """
    sample, group = sample.where(group >= 0), group[group >= 0]
    cells = AuditedCells(documents, size, sample, group)
    cells.check()
    strata = AuditedCells(documents.sum(0)[None], size.sum(0)[None], sample, np.zeros_like(group))
    weight = size / np.maximum(size.sum(-1, keepdims=True), 1e-300)
    rate = np.where(cells.audited > 0, cells.rate(), strata.rate())
    share = (weight * rate).sum(-1)
    known = cells.read_through >= 1
    open_weight = np.where(known, 0.0, weight)
    certain = (weight * rate * known).sum(-1)
    most = np.ones(weight.shape)
    if len(weight) > 1:
        # Positives of a cell are positives of its stratum too.
        alone = (counts[0][:, None] for counts in strata.effective(upper=True))
        ceiling = upper_limit(np.ones(1), *alone, level=level)
        most = np.minimum(1.0, ceiling * size.sum(0) / np.maximum(size, 1e-300))
    low = lower_limit(open_weight, *cells.effective(), level=level)
    high = upper_limit(open_weight, *cells.effective(upper=True), level=level, most=most)
    low = np.minimum(certain + low, share)
    high = np.clip(certain + high, share, 1.0)
    notes = _notes(cells, strata, weight, rate, share)
    return [
        Estimate(float(s), float(a), float(b), float(s * d), float(d), int(n), note)
        for s, a, b, d, n, note in zip(
            share, low, high, size.sum(-1), cells.audited.sum(-1), notes, strict=True
        )
    ]


def simultaneous(level: float, intervals: int) -> float:
    """Return the level of each of some intervals at which all hold at once with `level`.

    Bonferroni's, which needs no independence.
    """
    return 1 - (1 - level) / max(intervals, 1)


def _notes(
    cells: AuditedCells,
    strata: AuditedCells,
    weight: np.ndarray,
    rate: np.ndarray,
    share: np.ndarray,
) -> list[str]:
    unread = (cells.audited == 0) & (cells.documents > 0)
    borrowed = (weight * rate * unread).sum(-1) / np.maximum(share, 1e-300)
    blind = (weight * (unread & (strata.audited == 0))).sum(-1)
    notes = []
    for g in range(len(share)):
        said = []
        found, part = int(cells.positive[g].sum()), int(cells.in_part[g].sum())
        if not cells.documents[g].any():
            said.append("no documents")
        elif found < FEW and (cells.read_through[g] < 1).any():
            said.append(f"{found} positive read: `high` is the finding, `share` is uncertain")
        if borrowed[g] > 0:
            said.append(f"{borrowed[g]:.0%} of `share` is borrowed from other groups' documents")
        if blind[g] > 0:
            said.append(
                f"nothing was read of strata with {blind[g]:.2%} of it: `high` allows for all"
            )
        if part:
            said.append(
                f"{part:,} documents read in part: `share` counts what was read, "
                "`high` allows for the rest"
            )
        notes.append("; ".join(said))
    return notes
