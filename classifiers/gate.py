"""The gate: which documents hold a term of the lexicon at all, and where.

It reads whole Arrow buffers without making Python strings, and must let by what is positive: the
later stages see nothing else. Two engines find the same matches: hyperscan where it has a wheel,
else pyarrow's RE2 and `re`.
"""

import re
import threading
from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..labels.lexicon import Lexicon

try:
    import hyperscan
except ImportError:
    hyperscan = None

Span = tuple[int, int]


class Matches(NamedTuple):
    """Where terms stand in many documents: three arrays, a place in each for every match.

    `documents` says in which document a match stands, ascending; `starts` and `ends` are byte
    offsets within that document. Matches are leftmost-longest and do not overlap.
    """

    documents: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def of(self, documents: Sequence[int] | np.ndarray) -> list[list[Span]]:
        """Return the spans of some documents, a list each."""
        spans = list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))
        first = np.searchsorted(self.documents, documents).tolist()
        last = np.searchsorted(self.documents, documents, side="right").tolist()
        return [spans[begin:end] for begin, end in zip(first, last, strict=True)]


WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
"""Bytes between which there is no word boundary."""


def spellings(term: str) -> list[bytes]:
    """Return how a lexicon literal is spelt in UTF-8: apostrophes straight or curly."""
    return sorted({term.encode(), term.replace("'", "\u2019").encode()})


BLANKS = b" \t\r\n"
"""What a space of a term may be in a text."""


def blanked(spelling: bytes) -> list[bytes]:
    """Return a spelling with each of its spaces as every one of `BLANKS`."""
    choices = [BLANKS if byte == ord(" ") else [byte] for byte in spelling]
    return [bytes(chosen) for chosen in product(*choices)]


def spelling_pattern(spelling: bytes) -> bytes:
    """Return a spelling's byte pattern without its boundaries, for RE2 and `re`; it matches as many
    bytes as the spelling has: a space stands for exactly one of `BLANKS`.
    """
    return re.escape(spelling).replace(rb"\ ", b"[" + BLANKS + b"]")


class Engine(Protocol):
    """What finds the lexicon's terms; both implementations find the same."""

    def find(self, text: pa.LargeStringArray) -> Matches:
        """Return all matches in an array without nulls."""
        ...


def _buffers(text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes that an array lies on, and the n + 1 bounds of its documents in them."""
    _, offsets, data = text.buffers()
    bounds = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
    first, last = int(bounds[0]), int(bounds[-1])
    return np.frombuffer(data or b"", np.uint8)[first:last], bounds - first


class HyperscanEngine:
    """One hyperscan database that reads a whole buffer of documents at once.

    Hyperscan tells of every match's end, whatever else overlaps it, so that nothing is missed where
    two documents touch: what straddles them is left out afterwards. A match's start is its end less
    the length of its spelling. Patterns with boundaries take longer to compile and boundaries can
    be looked up at each match, so that only short spellings have them, which would else match
    inside half of all words. Spelling every blank out makes six times as many patterns, which as
    plain strings compile in a sixth of the time. A hyperscan scratch serves one thread at a time: a
    lock is held.
    """

    SHORT = 4
    """Bytes of a spelling up to which hyperscan itself looks for boundaries."""

    def __init__(self, terms: Iterable[str]) -> None:
        assert hyperscan is not None
        ordered = [
            way for term in terms for spelling in spellings(term) for way in blanked(spelling)
        ]
        self._lengths = np.array([len(spelling) for spelling in ordered])
        self._bounded = np.array([spelling[-1] in WORD for spelling in ordered])
        self._is_word = np.zeros(256, dtype=bool)
        self._is_word[list(WORD)] = True
        self._lock = threading.Lock()
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[self._expression(spelling) for spelling in ordered],
            ids=list(range(len(ordered))),
            elements=len(ordered),
            flags=hyperscan.HS_FLAG_CASELESS,
        )

    def _expression(self, spelling: bytes) -> bytes:
        pattern = re.escape(spelling)
        if len(spelling) > self.SHORT:
            return pattern
        return rb"\b" + pattern + (rb"\b" if spelling[-1] in WORD else b"")

    def find(self, text: pa.LargeStringArray) -> Matches:
        """Return all matches in an array without nulls."""
        data, bounds = _buffers(text)
        apart, places = self._seams(data, bounds)
        (spellings, ends), (others, other_ends) = self._scan(data), self._scan(apart)
        spellings = np.concatenate([spellings, others])
        ends = np.concatenate([ends, places[other_ends - 1] + 1])
        starts = ends - self._lengths[spellings]
        documents = np.searchsorted(bounds, starts, side="right") - 1
        first, last = bounds[documents], bounds[documents + 1]
        fits = (starts >= 0) & (ends <= last)
        fits &= (starts <= first) | ~self._is_word[data[starts - 1]]
        after = data[np.minimum(ends, len(data) - 1)]
        fits &= (ends >= last) | ~self._is_word[after] | ~self._bounded[spellings]
        return _leftmost_longest(documents[fits], (starts - first)[fits], (ends - first)[fits])

    def _scan(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which spellings match, and where each match ends."""
        found: list[tuple[int, int]] = []

        def note(spelling: int, _start: int, end: int, _flags: int, _context: object) -> None:
            found.append((spelling, end))

        if len(data):
            with self._lock:
                self._database.scan(memoryview(data), match_event_handler=note)  # pyright: ignore[reportArgumentType]
        spellings, ends = np.array(found, dtype=np.int64).reshape(-1, 2).T
        return spellings, ends

    def _seams(self, data: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of documents that touch another one without a boundary between them, with
        a zero byte around each, and the place in `data` of every byte.
        """
        inner = np.unique(bounds)[1:-1]
        touching = inner[self._is_word[data[inner - 1]] & self._is_word[data[inner]]]
        before = bounds[np.searchsorted(bounds, touching) - 1]
        after = bounds[np.searchsorted(bounds, touching, side="right")]
        steps = np.arange(self.SHORT + 1)
        left, right = touching[:, None] - 1 - steps[::-1], touching[:, None] + steps
        places = np.concatenate([left, right], axis=1)
        outside = (places < before[:, None]) | (places >= after[:, None])
        apart = np.where(outside, 0, data[np.clip(places, 0, len(data) - 1)])
        halves = np.pad(apart.reshape(-1, len(steps)), ((0, 0), (0, 1)))
        at = np.pad(places.reshape(-1, len(steps)), ((0, 0), (0, 1)))
        return halves.ravel(), at.ravel()


def _leftmost_longest(documents: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Matches:
    """Reduce matches to those that a reader from the left takes, the longest at each place."""
    order = np.lexsort((-ends, starts, documents))
    kept: list[int] = []
    document, reached = -1, 0
    for place, of, start, end in zip(
        order.tolist(), documents[order].tolist(), starts[order].tolist(), ends[order].tolist(),
        strict=True,
    ):  # fmt: skip
        if of != document or start >= reached:
            kept.append(place)
            document, reached = of, end
    return Matches(documents[kept], starts[kept], ends[kept])


class RegexEngine:
    """RE2 through pyarrow says whether, `re` says where; slower, and installable everywhere."""

    def __init__(self, terms: Iterable[str]) -> None:
        # At one start the longest spelling comes first, and an alternation takes the first.
        ordered = sorted({s for term in terms for s in spellings(term)}, key=lambda s: (-len(s), s))
        self._pattern = b"|".join(
            rb"\b" + spelling_pattern(s) + (rb"\b" if s[-1] in WORD else b"") for s in ordered
        )
        self._where = re.compile(self._pattern, re.IGNORECASE)

    def find(self, text: pa.LargeStringArray) -> Matches:
        """Return all matches in an array without nulls."""
        # As binary RE2 reads Latin-1, where no letter outside ASCII folds onto one inside it.
        binary = text.cast(pa.large_binary())
        found = pc.match_substring_regex(binary, pattern=self._pattern, ignore_case=True)  # pyright: ignore[reportAttributeAccessIssue]
        documents = np.flatnonzero(found.to_numpy(zero_copy_only=False))
        spans = [
            (document, *match.span())
            for document in documents.tolist()
            for match in self._where.finditer(binary[document].as_buffer())
        ]
        return Matches(*np.array(spans, dtype=np.int64).reshape(-1, 3).T)


class Gate:
    """Finds the lexicon's terms in documents.

    Args:
        lexicon: the terms, in ASCII; they match without regard to case at ASCII word boundaries.
        engine: what finds them; by default hyperscan where it can be imported. Compiling takes
            about a second.
    """

    def __init__(self, lexicon: Lexicon, *, engine: type[Engine] | None = None) -> None:
        kind = engine or (RegexEngine if hyperscan is None else HyperscanEngine)
        self._engine: Engine = kind(lexicon.terms())  # pyright: ignore[reportCallIssue]

    def find(self, text: pa.Array) -> Matches:
        """Return where the terms stand in the documents of an array.

        Args:
            text: string or large_string, sliced and with nulls as it comes; null has no match.
                Other types are cast to large_string. It may hold invalid UTF-8.
        """
        if text.type != pa.large_string():
            text = text.cast(pa.large_string())
        if text.null_count:
            text = text.fill_null("")
        return self._engine.find(text)

    def matches(self, text: bytes) -> list[Span]:
        """Return where the terms stand in UTF-8 text: byte spans, leftmost-longest, in order."""
        [spans] = self.find(pa.array([text], pa.large_binary()).view(pa.large_string())).of([0])
        return spans
