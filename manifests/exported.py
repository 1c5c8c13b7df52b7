"""What an exporter says of the numbers that it wrote."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["sample", "document"]
"""What a trainer draws: samples of a fixed number of tokens, or whole documents."""


@dataclass(frozen=True)
class Exported:
    """A trainer's configuration, in words.

    Args:
        unit: what the trainer draws by these numbers.
        means: what a bucket's number says in this trainer, and what that is in tokens.
        numbers: by bucket the number as the configuration has it, one for each stage where the
            configuration has stages; none where it has no numbers.
        notes: what the user should know, one line each.
    """

    unit: Unit
    means: str
    numbers: dict[str, float | list[float]]
    notes: tuple[str, ...] = ()
