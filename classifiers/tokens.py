"""Tokens: a passage cut into words, signs and sentences, several times as fast as spaCy does.

spaCy's rules for English read some 1.7 MB/s; what the evidence needs of them is that clitics stand
alone ("do", "n't"), initials hold together, and offsets stay. White space beyond one blank after a
token is a token of its own, as in spaCy. What a word is, is worked out once and kept, since the
same words come again and again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from .kept import Kept

TOKEN = re.compile(
    r"""(?:
    [A-Za-z](?:\.[A-Za-z])+\b   # initials; a full stop after them stands alone
    | \w++(?!'t\b)              # most words, here first since what follows is slow to tell
    | \w+(?=n't\b) | n't\b      # do n't
    | '(?:s|ll|d|re|ve|m)\b     # clitics
    | \w+ | [^\w\s] | \s+
    )[ ]?""",
    re.VERBOSE,
)
"""A token and the blank after it."""

TITLES = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "no", "etc", "e.g"})
"""Words after which a full stop ends no sentence."""

ENDS = frozenset(".!?…")

WEIGHED = frozenset({".", "!", "?", "n't"})
"""Tokens beside words that may be weighed where they stand near an agent."""

GAP = 16
"""Empty tokens between passages: more than any rule reaches, so that it meets no other passage."""

PRONOUNS = frozenset(
    {"it", "its", "itself", "they", "them", "their", "themselves", "he", "his", "himself", "she"}
)
FIRST_PERSON = frozenset({"i", "me", "my", "myself", "we", "us", "our"})
SECOND_PERSON = frozenset({"you", "your"})
QUOTES = frozenset("\"“”«»'‘")

KEPT_LEXEMES = 100_000
"""Tokens whose lexemes are kept in memory, some 30 MB at most."""

_STRAIGHT = {"‘": "'", "’": "'", "“": '"', "”": '"'}
_BLANK = {"\n": " ", "\t": " ", "\r": " ", "\u00a0": " "}


def replaced(text: str, signs: dict[str, str]) -> str:
    """Return a text with some signs replaced."""
    # `str.translate` looks every character up, which takes fifteen times as long.
    for sign, other in signs.items():
        text = text.replace(sign, other)
    return text


def even_quotes(text: str) -> str:
    """Return a text with straight quotes for curly ones, one for one; only typesetters differ."""
    return text if text.isascii() else replaced(text, _STRAIGHT)


class Flag:
    """What can be said of a token by itself, as bits; plain numbers, for an enum's take longer."""

    SPACED = 1  # a blank follows
    END = 2  # may end a sentence
    STOP = 4  # the full stop
    TITLE = 8  # of `TITLES`
    LETTER = 16  # begins with a letter or digit
    SMALL = 32  # begins with a small letter
    CAPITAL = 64  # begins with a capital, and has no other
    DIGITS = 128
    TERM = 256  # a word, or of `WEIGHED`
    PRONOUN = 512
    FIRST = 1024
    SECOND = 2048
    QUOTE = 4096
    QUESTION = 8192


class Lexeme(NamedTuple):
    """A token in lower case without its blank, and its flags."""

    lower: str
    flags: int


def _lexeme(token: str) -> Lexeme:
    word = token if token.isspace() else token.removesuffix(" ")
    lower = word.lower()
    flags = (
        Flag.SPACED * (word != token)
        | Flag.END * (lower in ENDS)
        | Flag.STOP * (word == ".")
        | Flag.TITLE * (lower in TITLES)
        | Flag.LETTER * (word[:1].isalnum())
        | Flag.SMALL * (word[:1].islower())
        | Flag.CAPITAL * (word.istitle())
        | Flag.DIGITS * (lower.isdigit())
        | Flag.TERM * (lower.isalpha() or lower in WEIGHED)
        | Flag.PRONOUN * (lower in PRONOUNS)
        | Flag.FIRST * (lower in FIRST_PERSON)
        | Flag.SECOND * (lower in SECOND_PERSON)
        | Flag.QUOTE * (lower in QUOTES)
        | Flag.QUESTION * (lower == "?")
    )
    return Lexeme(lower, flags)


_LEXEMES = Kept(_lexeme, most=KEPT_LEXEMES)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of some passages, one passage after another, `GAP` empty ones after each.

    Attributes:
        lower: in lower case.
        flags: what `Flag` says of each.
        starts: code points within the passage; `ends` likewise.
        sentence: a number each, the same within a sentence; there is none between two passages.
        passage: which passage each belongs to.
        sizes: how many tokens each passage has.
    """

    lower: list[str]
    flags: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    sentence: np.ndarray
    passage: np.ndarray
    sizes: np.ndarray


def tokenize(passages: Sequence[str]) -> Tokens:
    """Cut passages into tokens; white space and apostrophes are evened out one for one."""
    found: list[str] = []
    ends = [0]
    for text in passages:
        found += TOKEN.findall(replaced(even_quotes(text), _BLANK))
        found += [""] * GAP
        ends.append(len(found))
    lexemes = list(map(_LEXEMES.__getitem__, found))
    flags = np.fromiter(map(itemgetter(1), lexemes), np.int64, len(found))
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    sizes = np.diff(ends)
    firsts = np.cumsum(sizes) - sizes
    passage = np.repeat(np.arange(len(passages)), sizes)
    starts = np.cumsum(lengths) - lengths
    starts -= starts[firsts][passage]
    return Tokens(
        lower=list(map(itemgetter(0), lexemes)),
        flags=flags,
        starts=starts,
        ends=starts + lengths - (flags & Flag.SPACED),
        sentence=_sentences(flags, passage, firsts),
        passage=passage,
        sizes=sizes - GAP,
    )


def _sentences(flags: np.ndarray, passage: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Number the sentences: one ends with its sign where the next word does not begin small."""
    ends, words = np.flatnonzero(flags & Flag.END), np.flatnonzero(flags & Flag.LETTER)
    # Before a passage's first token there is nothing or a gap, which is no title.
    after_title = (flags[ends] & Flag.STOP != 0) & (flags[ends - 1] & Flag.TITLE != 0)
    ends = ends[~after_title]
    following = np.append(words, 0)[np.searchsorted(words, ends)]
    begins_large = flags[following] & Flag.SMALL == 0
    following = following[begins_large & (following > ends) & (passage[following] == passage[ends])]
    begins = np.zeros(len(flags), dtype=np.int64)
    begins[following] = 1
    begins[firsts] = 2  # a number is left out, so that no sentence follows another passage's
    return np.cumsum(begins)
