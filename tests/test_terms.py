"""Terms: counted and weighed as scikit-learn would, and without loading it."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from narrascope.classifiers.counted import VOCABULARIES, Counted
from narrascope.classifiers.representation import Weighing

TEXTS = [
    "The robot's eyes glowed; the robot said: \u201cI can't, I won't.\u201d",
    "a x-ray of THE robot, the robot said nothing",
    "",
    "Stra\u00dfe \u0130stanbul re-read, re-read 3.14 times\u2026 the end",
]
PASSAGES = st.lists(
    st.lists(st.sampled_from([*" ".join(TEXTS).split(), "zyx", "\u00a0", "."])).map(" ".join),
    min_size=1,
)


def weighed(name: str) -> tuple[Weighing, TfidfVectorizer]:
    """Fit ours, and scikit-learn's with the same settings."""
    weighing, _ = Weighing.fit(name, Counted.of(name, [text.lower().split() for text in TEXTS]))
    theirs = TfidfVectorizer(sublinear_tf=True, **VOCABULARIES[name].analysis).fit(TEXTS)
    return weighing, theirs


FITTED = {name: weighed(name) for name in ("words", "pieces")}


@given(PASSAGES, st.sampled_from(sorted(FITTED)))
def test_rows_are_scikit_learn_s_to_the_bit(passages, name):
    ours, theirs = FITTED[name]
    assert list(ours.names) == theirs.get_feature_names_out().tolist()
    expected = theirs.transform(passages)
    expected.sort_indices()
    rows = ours.rows([passage.lower().split() for passage in passages])
    assert np.array_equal(rows.indptr, expected.indptr)
    assert np.array_equal(rows.indices, expected.indices)
    assert np.array_equal(rows.data, expected.data)


def test_a_scan_starts_without_the_libraries_that_only_training_needs():
    code = (
        "import sys, narrascope.pipelines.scan, narrascope.classifiers.screen\n"
        "import narrascope.classifiers.evidence, narrascope.classifiers.verdict\n"
        "unwanted = {'sklearn', 'pandas', 'trafilatura', 'torch'} & sys.modules.keys()\n"
        "sys.exit(', '.join(unwanted) or None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
