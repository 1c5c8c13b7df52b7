"""Cells: the corpus divided as finely as constraints look, and joined again where they need not."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import duckdb
import numpy as np

from ..errors import PolicyError
from ..store.condition import Node, Verity, among, joined
from ..store.where import Condition, parse_where
from .census import Census, Group
from .partition import Piece
from .policy import UNITS, Change, Policy, Ratio, Share

_MOST_LEAVES = 4096
_MOST_CELLS = 20_000


@dataclass(frozen=True)
class Cells:
    """The cells that hold anything, in the order of pieces, truths and groups.

    Args:
        conditions: what constraints ask of documents.
        by: the columns whose groups they tell apart.
        piece: each cell's index among the pieces.
        truths: whether each cell meets each condition, of shape (cells, conditions).
        groups: each cell's values of `by`.
        sizes: in the policy's unit.
    """

    conditions: tuple[Condition, ...]
    by: tuple[str, ...]
    piece: np.ndarray
    truths: np.ndarray
    groups: tuple[Group, ...]
    sizes: np.ndarray


def find_cells(
    connection: duckdb.DuckDBPyConnection, policy: Policy, pieces: Sequence[Piece]
) -> Cells:
    """Divide pieces by the conditions and groups of a policy's constraints, and count the cells.

    Raises:
        PolicyError: there are too many cells, or the corpus has no token counts for `unit: tokens`.
    """
    texts = [
        text
        for constraint in policy.constraints
        for text in _asked(constraint)
    ]  # fmt: skip
    conditions = tuple({str(c): c for c in map(parse_where, texts)}.values())
    by = tuple({c.by: None for c in policy.constraints if isinstance(c, Change)})
    if (leaves := len(pieces) * 2 ** len(conditions)) > _MOST_LEAVES:
        raise PolicyError(
            f"constraints: {len(conditions)} different conditions divide {len(pieces)} buckets "
            f"into {leaves:,} cells, over {_MOST_LEAVES:,}: let constraints share conditions"
        )
    places, divided = _leaves(pieces, conditions)
    census = Census(connection, divided)
    census.require(policy.unit)
    unit = UNITS.index(policy.unit)
    found = [
        (*places[leaf], group, size[unit])
        for group, sizes in census.sizes(by).items()
        for leaf, size in enumerate(sizes)
        if size[unit] > 0
    ]
    if len(found) > _MOST_CELLS:
        raise PolicyError(
            f"constraints: by {', '.join(by)} the buckets fall into {len(found):,} cells, over "
            f"{_MOST_CELLS:,}: bound fewer columns"
        )
    if not found:
        raise PolicyError("constraints: the corpus is empty, so there is nothing to weigh")
    found.sort(key=lambda cell: (cell[0], cell[1], [(v is None, v or "") for v in cell[2]]))
    piece, truths, groups, size = zip(*found, strict=True)
    return Cells(
        conditions, by, np.array(piece), np.array(truths, dtype=bool).reshape(len(piece), -1),
        groups, np.array(size),
    )  # fmt: skip


def join_cells(
    cells: Cells, pieces: Sequence[Piece], classes: np.ndarray
) -> tuple[tuple[Piece, ...], np.ndarray]:
    """Return the pieces into which classes of cells divide a partition.

    The class of a piece with the most cells keeps its name and takes what the others leave; they
    are called `<name>-1`, `<name>-2`, … in order.

    Args:
        cells: the cells.
        pieces: the pieces that they divide.
        classes: an integer for each cell; cells of one piece with the same number stay together.

    Returns:
        The pieces, and for each of them its class, or −1 where it holds nothing.
    """
    divided: list[Piece] = []
    kept: list[int] = []
    names = {piece.name for piece in pieces}
    for index, piece in enumerate(pieces):
        here = np.flatnonzero(cells.piece == index)
        found, counts = np.unique(classes[here], return_counts=True)
        main = int(found[counts.argmax()]) if len(found) else -1
        for other in found[found != main].tolist():
            name = next(
                name for n in range(1, len(names) + 2) if (name := f"{piece.name}-{n}") not in names
            )
            names.add(name)
            told_apart = _told_apart(cells, here, classes, other)
            own = [piece.condition.node] if piece.condition else []
            where = str(joined("and", [*own, told_apart]))
            divided.append(
                Piece(**piece.model_dump(exclude={"name", "where"}), name=name, where=where)
            )
            kept.append(other)
        divided.append(piece)
        kept.append(main)
    return tuple(divided), np.array(kept)


def _asked(constraint: Share | Ratio | Change) -> list[str]:
    match constraint:
        case Share():
            return [constraint.share, *([constraint.of] if constraint.of else [])]
        case Ratio():
            return [constraint.ratio, constraint.to]
    return []


def _leaves(
    pieces: Sequence[Piece], conditions: Sequence[Condition]
) -> tuple[list[tuple[int, tuple[bool, ...]]], list[Piece]]:
    """Return pieces divided by every combination of conditions, and what each leaf stands for.

    Of one piece, leaves that ask for more come first, so that none needs to ask what is not true.
    What is dropped is not divided.
    """
    places, leaves = [], []
    for index, piece in enumerate(pieces):
        if piece.action == "drop":
            places.append((index, (False,) * len(conditions)))
            leaves.append(piece)
            continue
        for truths in product((True, False), repeat=len(conditions)):
            nodes = [c.node for c, true in zip(conditions, truths, strict=True) if true]
            nodes = [*([piece.condition.node] if piece.condition else []), *nodes]
            where = str(joined("and", nodes)) if nodes else None
            places.append((index, truths))
            leaves.append(Piece(name=piece.name, of=piece.of, where=where))
    return places, leaves


def _told_apart(cells: Cells, here: np.ndarray, classes: np.ndarray, wanted: int) -> Node:
    """Return a condition that is true of one class of a piece's cells and of no other."""
    asked, columns = _telling(cells, here, classes)
    found: dict[tuple[tuple[bool, ...], Group], set[str | None]] = {}
    for cell in here[classes[here] == wanted].tolist():
        truths = tuple(cells.truths[cell, asked].tolist())
        *outer, inner = [cells.groups[cell][column] for column in columns] or [None]
        found.setdefault((truths, tuple(outer)), set()).add(inner)  # type: ignore[arg-type]
    nodes = []
    for (truths, outer), inner in sorted(found.items(), key=repr):
        terms: list[Node] = [
            cells.conditions[n].node if true else Verity(cells.conditions[n].node, negated=True)
            for n, true in zip(asked, truths, strict=True)
        ]
        terms += [among(cells.by[c], {v}) for c, v in zip(columns, outer, strict=False)]  # type: ignore[arg-type]
        terms += [among(cells.by[columns[-1]], inner)] if columns else []
        nodes.append(joined("and", terms))
    return joined("or", nodes)


def _telling(cells: Cells, here: np.ndarray, classes: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the conditions and the columns that suffice to tell a piece's classes apart."""
    asked, columns = list(range(len(cells.conditions))), list(range(len(cells.by)))

    def suffice(asked: list[int], columns: list[int]) -> bool:
        seen: dict[tuple, int] = {}
        return all(
            seen.setdefault(
                (*cells.truths[cell, asked], *(cells.groups[cell][c] for c in columns)),
                int(classes[cell]),
            )
            == int(classes[cell])
            for cell in here.tolist()
        )

    for column in list(columns):
        if suffice(asked, less := [c for c in columns if c != column]):
            columns = less
    for condition in list(asked):
        if suffice(less := [c for c in asked if c != condition], columns):
            asked = less
    return asked, columns
