"""A URL that cannot be used is said in one line, with what to do."""

import sys
from collections.abc import Callable

import pytest
from huggingface_hub import HfFileSystem

from narrascope.errors import SettingsError
from narrascope.pipelines.parts import list_corpus
from narrascope.store.folder import TagFolder
from narrascope.store.location import locate

LISTED: list[Callable[[str], object]] = [list_corpus, TagFolder]


@pytest.mark.parametrize("use", LISTED)
def test_an_unknown_protocol_is_named(use: Callable[[str], object]) -> None:
    with pytest.raises(SettingsError, match=r"nope://x cannot be used .*Protocol not known: nope"):
        use("nope://x")


@pytest.mark.parametrize("use", LISTED)
def test_a_missing_package_is_named(
    use: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SettingsError, match=r"gs://bucket/x needs another package: .*'gcsfs'"):
        use("gs://bucket/x")


def test_a_dataset_of_the_hub_is_read_through_its_own_file_system() -> None:
    filesystem, path = locate("hf://datasets/HuggingFaceFW/fineweb/data")
    assert isinstance(filesystem, HfFileSystem)
    assert path == "datasets/HuggingFaceFW/fineweb/data"


def test_a_store_that_does_not_answer_is_said_with_what_to_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(self: HfFileSystem, path: str) -> bool:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(HfFileSystem, "isdir", refused)
    with pytest.raises(SettingsError, match=r"cannot be reached .*refused.*the credentials"):
        list_corpus("hf://datasets/nobody/nothing")
