"""The gate: which documents hold a term of the lexicon at all, and where.

It reads Arrow buffers slice by slice without making Python strings, and must let by what is
positive: the later stages see nothing else. Two engines find the same matches: hyperscan where it
has a wheel, else pyarrow's RE2 and `re`.
"""

import re
import threading
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..labels.lexicon import Lexicon

try:
    import hyperscan
except ImportError:
    hyperscan = None

Span = tuple[int, int]

WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
"""Bytes between which there is no word boundary."""


def spellings(term: str) -> list[bytes]:
    """Return how a lexicon literal is spelt in UTF-8: apostrophes straight or curly."""
    return sorted({term.encode(), term.replace("'", "\u2019").encode()})


def spelling_pattern(spelling: bytes) -> bytes:
    """Return a spelling's byte pattern without its boundaries, in the syntax all engines share; it
    matches as many bytes as the spelling has: a space stands for exactly one blank or line end.
    """
    return re.escape(spelling).replace(rb"\ ", rb"[ \t\r\n]")


def leftmost_longest(spans: Iterable[Span]) -> list[Span]:
    """Reduce spans to those that a reader from the left takes, the longest first at each place."""
    kept: list[Span] = []
    reached = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= reached:
            kept.append((start, end))
            reached = end
    return kept


class Engine(Protocol):
    """What finds the lexicon's terms; both implementations find the same."""

    def candidates(self, array: pa.Array) -> np.ndarray:
        """Return where a string or large_string array has a match; null has none."""
        ...

    def matches(self, data: bytes) -> list[Span]:
        """Return leftmost-longest, non-overlapping byte spans."""
        ...


class HyperscanEngine:
    """One hyperscan database of bare spellings; word boundaries are checked at each match.

    Patterns with boundaries take four times as long to compile. A match's start is its end less
    the length of its spelling. A hyperscan scratch serves one thread at a time, so that a lock is
    held while scanning.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        assert hyperscan is not None
        ordered = [spelling for term in terms for spelling in spellings(term)]
        self._lengths = [len(spelling) for spelling in ordered]
        self._open_ended = {i for i, s in enumerate(ordered) if s[-1] not in WORD}
        self._lock = threading.Lock()
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[spelling_pattern(spelling) for spelling in ordered],
            ids=list(range(len(ordered))),
            elements=len(ordered),
            flags=hyperscan.HS_FLAG_CASELESS,
        )

    def _stands_alone(self, data: memoryview | bytes, spelling: int, start: int, end: int) -> bool:
        if start and data[start - 1] in WORD:
            return False
        return end == len(data) or data[end] not in WORD or spelling in self._open_ended

    def candidates(self, array: pa.Array) -> np.ndarray:
        """Return where a string or large_string array has a match; null has none."""
        found = np.zeros(len(array), dtype=bool)
        _, offsets_buffer, data = array.buffers()
        if len(array) == 0 or data is None:
            return found
        width = np.int64 if pa.types.is_large_string(array.type) else np.int32
        bounds = np.frombuffer(offsets_buffer, width)[array.offset : array.offset + len(array) + 1]
        starts = bounds.tolist()
        view = document = memoryview(data)
        lengths, stands_alone = self._lengths, self._stands_alone

        def stop(spelling: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            return stands_alone(document, spelling, end - lengths[spelling], end)

        with self._lock:
            for index in np.flatnonzero(np.diff(bounds)).tolist():
                document = view[starts[index] : starts[index + 1]]
                try:
                    self._database.scan(document, match_event_handler=stop)  # pyright: ignore[reportArgumentType]
                except hyperscan.ScanTerminated:  # pyright: ignore[reportOptionalMemberAccess]
                    found[index] = True
        if array.null_count:
            found &= array.is_valid().to_numpy(zero_copy_only=False)
        return found

    def matches(self, data: bytes) -> list[Span]:
        """Return leftmost-longest, non-overlapping byte spans."""
        spans: list[Span] = []
        lengths = self._lengths

        def note(spelling: int, _start: int, end: int, _flags: int, _context: object) -> None:
            start = end - lengths[spelling]
            if self._stands_alone(data, spelling, start, end):
                spans.append((start, end))

        if data:
            with self._lock:
                self._database.scan(data, match_event_handler=note)
        return leftmost_longest(spans)


class RegexEngine:
    """RE2 through pyarrow says whether, `re` says where; slower, and installable everywhere."""

    def __init__(self, terms: Iterable[str]) -> None:
        # At one start the longest spelling comes first, and an alternation takes the first.
        ordered = sorted({s for term in terms for s in spellings(term)}, key=lambda s: (-len(s), s))
        self._pattern = b"|".join(
            rb"\b" + spelling_pattern(s) + (rb"\b" if s[-1] in WORD else b"") for s in ordered
        )
        self._where = re.compile(self._pattern, re.IGNORECASE)

    def candidates(self, array: pa.Array) -> np.ndarray:
        """Return where a string or large_string array has a match; null has none."""
        # As binary RE2 reads Latin-1, where no letter outside ASCII folds onto one inside it.
        binary = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
        found = pc.match_substring_regex(  # pyright: ignore[reportAttributeAccessIssue]
            array.cast(binary), pattern=self._pattern, ignore_case=True
        )
        return found.fill_null(False).to_numpy(zero_copy_only=False)

    def matches(self, data: bytes) -> list[Span]:
        """Return leftmost-longest, non-overlapping byte spans."""
        return [match.span() for match in self._where.finditer(data)]


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

    def candidates(self, text: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Return a boolean for each document: whether any term stands in it.

        Args:
            text: string or large_string, chunked, sliced and with nulls as it comes; null has no
                match. Other types are cast to large_string.
        """
        if isinstance(text, pa.ChunkedArray):
            parts = [self.candidates(chunk) for chunk in text.chunks]
            return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
        if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
            text = text.cast(pa.large_string())
        return self._engine.candidates(text)

    def matches(self, text: bytes) -> list[Span]:
        """Return where the terms stand in UTF-8 text: byte spans, leftmost-longest, in order."""
        return self._engine.matches(text)
