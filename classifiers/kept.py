"""What was worked out for strings that come again and again, kept within bounds."""

from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

LONGEST = 40
"""Characters of a string that is kept: a longer one hardly comes again."""


class Kept(dict[str, Value]):
    """A value for each string, worked out when it is first asked for; all are forgotten at `most`.

    Threads may share it where a string's value is always the same. A hit takes half the time of
    `functools.lru_cache`, which could not leave long strings out either.
    """

    def __init__(self, work_out: Callable[[str], Value], *, most: int) -> None:
        super().__init__()
        self._work_out, self._most = work_out, most

    def __missing__(self, string: str) -> Value:
        value = self._work_out(string)
        if len(string) <= LONGEST:
            if len(self) >= self._most:
                self.clear()
            self[string] = value
        return value
