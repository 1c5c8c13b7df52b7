"""Edits of one JSON line that leave every other byte of it as it was."""

import json
import re
from collections.abc import Iterable

import orjson

from ..errors import ManifestError
from ..manifests.reweighed import SPANS_COLUMN
from .batches import encode

_decode = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\n\r]*")


def add_spans(line: bytes, spans: list[dict[str, int]] | None, name: str) -> bytes:
    """Return a line with one more key, for spans to be masked, at the end of its object.

    Args:
        line: the line, an object.
        spans: of `start` and `end`; None is written as null.
        name: the shard, for messages.

    Raises:
        ManifestError: the object has that key already.
    """
    body = line.rstrip()
    # Most lines hold no such word at all, not even in escapes; one that may is looked at.
    may = SPANS_COLUMN.encode() in body or rb"\u" in body
    if may and SPANS_COLUMN in _members(body):
        raise spans_taken(name)
    rest = body[:-1].rstrip()
    comma = b"" if rest.endswith(b"{") else b","
    return b'%s%s"%s":%s}\n' % (rest, comma, SPANS_COLUMN.encode(), orjson.dumps(spans))


def prefix_text(line: bytes, column: str, prefix: bytes, places: list[int]) -> bytes:
    """Return a line with a prefix in the text under a key, as `insert` puts it; a null stays."""
    start, end = _members(line).get(column, (0, 0))
    text = json.loads(line[start:end].decode("utf-8", "replace") or "null")
    if text is None:
        return line
    changed = insert(encode(text)[0], prefix, places)
    return line[:start] + orjson.dumps(changed.decode()) + line[end:]


def _members(line: bytes) -> dict[str, tuple[int, int]]:
    """Return where the value of each key of a line's object stands, in bytes, half-open."""
    # As Latin-1 a byte is a character, and the signs of JSON stand where they stood.
    text = line.decode("latin-1")
    found: dict[str, tuple[int, int]] = {}
    at = _after_space(text, text.index("{") + 1)
    while text[at] == '"':
        _, end = _decode(text, at)
        key, at = json.loads(line[at:end].decode("utf-8", "replace")), end
        start = _after_space(text, _after_space(text, at) + 1)
        _, end = _decode(text, start)
        found[key] = (start, end)
        at = _after_space(text, end)
        if text[at] != ",":
            break
        at = _after_space(text, at + 1)
    return found


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def insert(text: bytes, prefix: bytes, places: Iterable[int]) -> bytes:
    """Return a text with a prefix put in before each of some places, in code points, ascending.

    A text of invalid UTF-8 is written as the scan read it: with what is invalid replaced.
    """
    characters = text.decode("utf-8", "replace")
    pieces, last = [], 0
    for place in places:
        pieces.append(characters[last:place].encode())
        last = place
    return prefix.join([*pieces, characters[last:].encode()])


def spans_taken(name: str) -> ManifestError:
    """Return the error for a shard that has a column for spans already."""
    return ManifestError(
        f"{name} has a column {SPANS_COLUMN!r} already, which spans to be masked would go into: "
        "rename it in the source, scan again and build the manifest anew"
    )
