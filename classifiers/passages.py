"""Passages: what of a document the later stages read, in code points.

A window is the text within some 400 bytes of a gate match, widened to sentence ends; windows that
overlap are merged, long ones cut. All of it takes time linear in the document.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

Span = tuple[int, int]


class Window(NamedTuple):
    """A passage that the later stages read: its span in code points of the document, its text, and
    the spans of the gate's terms in that.
    """

    start: int
    end: int
    text: str
    terms: tuple[Span, ...] = ()


REACH = 400
"""Code points read on either side of a match; bytes, in text that is ASCII."""

WIDENING = 200
"""How much further a window may go to end with a sentence."""

LONGEST = 1_200
"""Code points at most of a piece that is cut."""

UNCUT = 1_500
"""Code points up to which a window is left whole, and a document is one passage."""

MARGIN = 4 * (REACH + WIDENING + 1)
"""Bytes on either side of a match beyond which no text has a say in its window."""

SENTENCE_END = re.compile(r"""[.!?…]+["'”’)\]]*\s+|\n\s*\n\s*""")


def code_points(data: bytes) -> int:
    """Return how many code points UTF-8 bytes hold."""
    if data.isascii():
        return len(data)
    # A code point begins at each byte that is not a continuation (0b10xxxxxx): -128 to -65, signed.
    return int(np.count_nonzero(np.frombuffer(data, np.int8) > -65))


def char_offsets(data: bytes, spans: Sequence[Span]) -> list[Span]:
    """Turn ascending byte spans of UTF-8 into code-point spans of the text it decodes to."""
    if not spans or data.isascii():
        return list(spans)
    offsets: list[Span] = []
    reached = characters = 0
    for start, end in spans:
        characters += code_points(data[reached:start])
        width = code_points(data[start:end])
        offsets.append((characters, characters + width))
        characters += width
        reached = end
    return offsets


def _widened_start(text: str, start: int) -> int:
    """Move a start back to the nearest sentence start, or forward to a word where none is near."""
    if start <= 0:
        return 0
    floor = max(0, start - WIDENING)
    ends = [match.end() for match in SENTENCE_END.finditer(text, floor, start)]
    if ends:
        return ends[-1]
    if floor == 0:
        return 0
    blank = text.find(" ", start, start + 40)
    return start if blank < 0 else blank + 1


def _widened_end(text: str, end: int) -> int:
    """Move an end on to the nearest sentence end, or back to a word where none is near."""
    if end >= len(text):
        return len(text)
    ceiling = min(len(text), end + WIDENING)
    match = SENTENCE_END.search(text, end - 1, ceiling)
    if match:
        return match.end()
    if ceiling == len(text):
        return ceiling
    blank = text.rfind(" ", end - 40, end)
    return end if blank < 0 else blank + 1


def _cut(text: str, start: int, end: int) -> list[Span]:
    """Cut a span that is too long into passages, at sentence ends where it can."""
    pieces: list[Span] = []
    while end - start > UNCUT:
        # Even shares, so that the last piece is not a remnant of a few words.
        share = (end - start) // -(-(end - start) // LONGEST)
        limit = start + LONGEST
        ends = [m.end() for m in SENTENCE_END.finditer(text, start + share // 2, limit)]
        place = min(ends, key=lambda at: abs(at - start - share), default=0)
        if not place:
            blank = text.rfind(" ", start + share // 2, limit)
            place = limit if blank < 0 else blank + 1
        pieces.append((start, place))
        start = place
    pieces.append((start, end))
    return pieces


def _trimmed(text: str, start: int, end: int) -> Span:
    """Leave out white space at both ends of a span."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def windows(text: str, matches: Sequence[Span]) -> list[Span]:
    """Return the passages of a text that hold its matches.

    Args:
        text: a document.
        matches: gate matches in code points, ascending and not overlapping.

    Returns:
        Half-open spans in code points, ascending, disjoint, each of at most `UNCUT` code points
        and with at least one match touching it. A document that is no longer is read whole.
    """
    if matches and len(text) <= UNCUT:
        return slices(text)
    return _around(text, matches)


def _around(text: str, matches: Sequence[Span]) -> list[Span]:
    merged: list[list[int]] = []
    for start, end in matches:
        first = _widened_start(text, start - REACH)
        last = max(end, _widened_end(text, end + REACH))
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(last, merged[-1][1])
        else:
            merged.append([first, last])
    starts = [start for start, _ in matches]
    passages: list[Span] = []
    for first, last in merged:
        for piece in _cut(text, first, last):
            begin, stop = _trimmed(text, *piece)
            nearest = bisect_right(starts, stop - 1) - 1
            if begin < stop and nearest >= 0 and matches[nearest][1] > begin:
                passages.append((begin, stop))
    return passages


def read_windows(data: bytes, matches: Sequence[Span]) -> list[Window]:
    """Return what `windows` does of a document in UTF-8, decoding only what stands near matches.

    Args:
        data: a document, valid UTF-8.
        matches: gate matches in bytes, ascending and not overlapping.
    """
    if len(data) <= 4 * UNCUT:
        text = data.decode()
        terms = char_offsets(data, matches)
        return _spotted(text, windows(text, terms), terms)
    found: list[Window] = []
    counted = characters = 0
    for first, last, near in _clusters(data, matches):
        characters += code_points(data[counted:first])
        counted = first
        piece = data[first:last]
        text = piece.decode()
        terms = char_offsets(piece, near)
        found += _spotted(text, _around(text, terms), terms, before=characters)
    return found


def whole_window(data: bytes, matches: Sequence[Span]) -> Window:
    """Return a passage that stands by itself as a window; its matches are in bytes."""
    text = data.decode()
    return Window(0, len(text), text, tuple(char_offsets(data, matches)))


def _spotted(
    text: str, spans: Sequence[Span], terms: Sequence[Span], *, before: int = 0
) -> list[Window]:
    """Return windows with the terms in them; the text begins `before` into the document."""
    starts, ends = [start for start, _ in terms], [end for _, end in terms]
    found: list[Window] = []
    for begin, stop in spans:
        inside = terms[bisect_right(ends, begin) : bisect_left(starts, stop)]
        own = ((max(start, begin) - begin, min(end, stop) - begin) for start, end in inside)
        found.append(Window(before + begin, before + stop, text[begin:stop], tuple(own)))
    return found


def _clusters(data: bytes, matches: Sequence[Span]) -> Iterator[tuple[int, int, list[Span]]]:
    """Yield stretches of bytes whose windows cannot meet, each with its matches, counted in it."""
    place = 0
    while place < len(matches):
        first = max(0, matches[place][0] - MARGIN)
        begin = place
        while place + 1 < len(matches) and matches[place + 1][0] - matches[place][1] <= 2 * MARGIN:
            place += 1
        place += 1
        last = min(len(data), matches[place - 1][1] + MARGIN)
        while first > 0 and data[first] & 0xC0 == 0x80:
            first -= 1
        while last < len(data) and data[last] & 0xC0 == 0x80:
            last += 1
        yield first, last, [(start - first, end - first) for start, end in matches[begin:place]]


def slices(text: str) -> list[Span]:
    """Cut a whole text into passages, in code points; used where no gate chose a place."""
    begin, end = _trimmed(text, 0, len(text))
    if begin == end:
        return []
    pieces = (_trimmed(text, *piece) for piece in _cut(text, begin, end))
    return [(start, stop) for start, stop in pieces if start < stop]
