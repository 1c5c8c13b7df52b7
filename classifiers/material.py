"""What training and evaluation work on: labelled passages, and folds that never split a source."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.model_selection import GroupKFold

from ..errors import LabelsError
from ..labels.labelled import Example
from ..labels.lexicon import read_lexicon
from .counted import Counted, count_all
from .evidence import EvidenceReader, PassageEvidence
from .gate import Gate
from .heads import HEADS
from .passages import Window, read_windows, whole_window

Values = dict[str, np.ndarray]
"""Log-odds of all heads by a passage's id."""


@dataclass(frozen=True)
class Material:
    """Labelled passages with what is computed of them once."""

    examples: list[Example]
    evidence: list[PassageEvidence]
    windows: list[Window]
    counted: dict[str, Counted] = field(default_factory=dict)

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Material":
        """Read the evidence of the passages, and where the gate's terms stand in them."""
        gate = Gate(read_lexicon())
        texts = [e.text for e in examples]
        evidence = EvidenceReader().read(texts)
        windows = [whole_window(t, gate.matches(t)) for t in map(str.encode, texts)]
        return cls(list(examples), evidence, windows)

    def with_terms(self) -> "Material":
        """Return the passages with their terms counted, so that a verdict can be learnt of them."""
        return replace(self, counted=count_all(self.texts, self.evidence))

    def take(self, places: np.ndarray) -> "Material":
        """Return the passages at these places."""
        return Material(
            [self.examples[i] for i in places],
            [self.evidence[i] for i in places],
            [self.windows[i] for i in places],
            {name: counted.take(places) for name, counted in self.counted.items()},
        )

    @property
    def texts(self) -> list[str]:
        """The passages' texts."""
        return [example.text for example in self.examples]

    @property
    def sources(self) -> list[str]:
        """The passages' sources; empty for those that were written for the purpose."""
        return [example.source for example in self.examples]

    @property
    def truth(self) -> np.ndarray:
        """The four answers: a boolean array (passages, 4)."""
        return np.array([example.labels() for example in self.examples], dtype=bool)

    def judged(self, values: Values) -> np.ndarray | None:
        """Return the judge's values of the passages: (passages, heads), or None for lack of one."""
        if not all(example.id in values for example in self.examples):
            return None
        return np.array([values[e.id] for e in self.examples]).reshape(-1, len(HEADS))


@dataclass(frozen=True)
class Supply:
    """All that the stages are trained on.

    Attributes:
        passages: labelled passages.
        windows: of labelled whole documents, each with its document's answers.
        judged: what judges said of them out of fold; empty where there is no judge.
    """

    passages: Material
    windows: Material = field(default_factory=lambda: Material([], [], []))
    judged: Values = field(default_factory=dict)


def source_folds(sources: Sequence[str], *, folds: int) -> dict[str, int]:
    """Give each source a fold: the largest first, each to the fold with the fewest passages."""
    sizes = Counter(source for source in sources if source)
    filled = [0] * folds
    fold_of: dict[str, int] = {}
    for source, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        fold_of[source] = filled.index(min(filled))
        filled[fold_of[source]] += size
    return fold_of


def folds_of(examples: Sequence[Example], *, count: int, seed: int) -> np.ndarray:
    """Give each passage a fold that holds all of its source, so that calibrations hold elsewhere.

    Passages without a source have the fold -1: they are learnt from and never predicted. Where
    there are fewer sources than folds, folds hold whole works instead.

    Raises:
        LabelsError: there are fewer works than folds.
    """
    sources = [example.source for example in examples]
    if len(set(sources) - {""}) >= count:
        fold_of = source_folds(sources, folds=count)
        return np.array([fold_of.get(source, -1) for source in sources])
    works = [example.work for example in examples]
    if len(set(works)) < count:
        raise LabelsError(
            f"{len(set(works))} works cannot be split in {count} folds: give passages of more"
        )
    folds = np.zeros(len(examples), dtype=int)
    split = GroupKFold(count, shuffle=True, random_state=seed).split(works, groups=works)
    for fold, (_, places) in enumerate(split):
        folds[places] = fold
    return folds


def windows_of(documents: Sequence[Example], gate: Gate) -> list[Example]:
    """Return the windows that a scan would read of whole labelled documents, as examples.

    Each has the document's answers and source, its id in `document`, and an id of its own.
    """
    found: list[Example] = []
    for document in documents:
        data = document.text.encode()
        for number, window in enumerate(read_windows(data, gate.matches(data))):
            changes = {
                "id": f"{document.id}/{number}", "document": document.id, "text": window.text,
            }  # fmt: skip
            found.append(document.model_copy(update=changes))
    return found
