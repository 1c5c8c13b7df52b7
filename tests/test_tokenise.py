"""Tokenised buckets hold every document, every token and every mask, in each trainer's format."""

from pathlib import Path

import numpy as np
import orjson
import pytest
import tokenizers
from datatrove.data import Document

from narrascope.errors import ManifestError
from narrascope.manifests.build import build_manifest
from narrascope.manifests.export import export
from narrascope.manifests.manifest import Manifest, load_manifest
from narrascope.manifests.mixture import Mixture, mix
from narrascope.manifests.olmo_masks import masked_mixture
from narrascope.manifests.policy_file import check_policy
from narrascope.manifests.reweighed import load_reweighed
from narrascope.manifests.texts import Text, read_texts
from narrascope.manifests.tokenised import Tokenised
from narrascope.pipelines.demo import demo_corpus
from narrascope.pipelines.masked_tokens import (
    SPANS,
    MaskedDocumentTokenizer,
    loss_of,
    sequence_lengths,
)
from narrascope.pipelines.reweigh import reweigh
from narrascope.pipelines.scan import scan
from narrascope.pipelines.tokenise import tokenise
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder

POLICY = {
    "version": 1,
    "seed": 3,
    "buckets": [
        {"name": "dark", "where": "malevolent >= 0.5", "action": "mask_spans"},
        {"name": "kind", "where": "benevolent >= 0.5", "weight": 2.0},
    ],
    "keep_total": False,
}
END = "<|endoftext|>"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scan the demo corpus, build and reweigh a manifest, train a tokenizer on the corpus."""
    folder = tmp_path_factory.mktemp("tokenise")
    corpus = str(demo_corpus())
    scan(corpus, str(folder / "tags"))
    tags = TagFolder(str(folder / "tags"))
    with open_catalogue(tags) as connection:
        build_manifest(tags, connection, check_policy(POLICY), out=folder / "m")
    reweigh(folder / "m", corpus, folder / "out")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    texts = [text.text for _, text in documents(mixture(folder))]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=800, special_tokens=[END], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    # Cutting and padding in the file would lose text without a word; they must not count.
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=7)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def mixture(folder: Path) -> Mixture:
    manifest = load_manifest(folder / "m")
    return mix(manifest, load_reweighed(manifest))


def documents(found: Mixture) -> list[tuple[str, Text]]:
    return [
        (ingredient.name, text)
        for ingredient in found.ingredients
        for path in ingredient.files
        for text in read_texts(path, found.columns)
    ]


def expected(folder: Path) -> dict[str, list[tuple[list[int], list[bool]]]]:
    """Return each bucket's documents as tokens and masks, by the tokenizer alone."""
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    found: dict[str, list[tuple[list[int], list[bool]]]] = {}
    for bucket, text in documents(mixture(folder)):
        encoded = tokenizer.encode(text.text)
        masked = {c for start, end in text.spans for c in range(start, end)}
        loss = [masked.isdisjoint(range(*offsets)) for offsets in encoded.offsets]
        end = tokenizer.token_to_id(END)
        found.setdefault(bucket, []).append(([*encoded.ids, end], [*loss, True]))
    return found


def run(folder: Path, to: str, kind: str) -> tuple[Manifest, Tokenised, Path]:
    manifest = load_manifest(folder / "m")
    out = folder / to
    record = tokenise(manifest, out, tokenizer=folder / "tokenizer.json", kind=kind)
    export(manifest, to=to, out=out)
    return manifest, record, out


def split(tokens: np.ndarray, ends: np.ndarray) -> list[list[int]]:
    return [part.tolist() for part in np.split(tokens, ends[:-1])]


@pytest.mark.parametrize("to", ["nanotron", "olmo-core"])
def test_datatrove_s_files_hold_every_document_token_and_mask(place: Path, to: str) -> None:
    _, record, out = run(place, to, "ds")
    wanted = expected(place)
    assert sum(masks.count(False) for _, masks in wanted["dark"]) > 20
    for bucket, pairs in wanted.items():
        tokens, losses, documents = [], [], []
        for path in record.paths(bucket, out):
            found = np.fromfile(path, np.uint16)
            ends = np.fromfile(f"{path}.index", np.uint64)
            documents += split(found, ends)
            tokens.append(found)
            losses.append(np.fromfile(f"{path}.loss", bool))
        assert documents == [ids for ids, _ in pairs]
        assert np.concatenate(losses).tolist() == [b for _, masks in pairs for b in masks]
        assert record.tokens()[bucket] == sum(map(len, tokens))
    masked = sum(file.masked for file in record.files)
    assert masked == sum(masks.count(False) for pairs in wanted.values() for _, masks in pairs)


def test_megatron_s_files_hold_every_document_token_and_mask(place: Path) -> None:
    _, record, out = run(place, "megatron", "megatron")
    for bucket, pairs in expected(place).items():
        found, losses = [], []
        for file in record.files:
            if file.bucket == bucket:
                tokens = np.fromfile(out / f"{file.path}.bin", np.uint16)
                ends = np.cumsum(sequence_lengths(out / f"{file.path}.idx"))
                found += split(tokens, ends)
                if bucket == "dark":
                    losses += split(np.fromfile(out / f"{file.path}.mask", bool), ends)
        by_tokens = sorted(pairs) if bucket != "dark" else pairs
        assert (sorted(found) if bucket != "dark" else found) == [ids for ids, _ in by_tokens]
        if losses:
            assert losses == [masks for _, masks in pairs]


def test_megatron_s_splits_are_disjoint_by_text(place: Path) -> None:
    _, record, out = run(place, "megatron", "megatron")
    splits = [f for f in record.files if f.bucket == "rest"]
    assert [f.split for f in splits] == ["train", "valid", "test"]
    found = []
    for file in splits:
        ends = np.cumsum(sequence_lengths(out / f"{file.path}.idx"))
        tokens = np.fromfile(out / f"{file.path}.bin", np.uint16)
        found.append({tuple(ids) for ids in split(tokens, ends)})
    assert all(found)
    assert found[0].isdisjoint(found[1] | found[2])
    assert found[1].isdisjoint(found[2])
    per_split = orjson.loads((out / "per_split.json").read_bytes())
    assert list(per_split) == ["train", "valid", "test"]
    assert all(Path(f"{p}.idx").is_file() for words in per_split.values() for p in words[1::2])


def test_megatron_s_own_index_reader_reads_them(place: Path) -> None:
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    _, _, out = run(place, "megatron", "megatron")
    pairs = expected(place)["kind"]
    whole = indexed.IndexedDataset(str(out / "kind_text_document"))
    assert [whole[n].tolist() for n in range(len(whole))] == [ids for ids, _ in pairs]
    assert len(whole.document_indices) == len(pairs) + 1


@pytest.mark.filterwarnings("ignore")
def test_datatrove_s_own_data_set_reads_what_nanotron_is_given(place: Path) -> None:
    pytest.importorskip("torch")
    from datatrove.utils.dataset import DatatroveFolderDataset

    _, record, out = run(place, "nanotron", "ds")
    length = 32
    for file in record.files:
        if file.bucket == "rest":
            continue
        assert file.tokens > length
    found = DatatroveFolderDataset(
        str(out / "tokens" / "rest"), length - 1, filename_pattern="*.ds", return_positions=True
    )
    rest = [f for f in record.files if f.bucket == "rest"]
    assert len(found) == sum(f.tokens // length for f in rest)
    first = np.fromfile(out / rest[0].path, np.uint16)[:length]
    assert found[0]["input_ids"].tolist() == first.tolist()


@pytest.mark.filterwarnings("ignore")
def test_olmo_core_s_own_sources_apply_the_masks(place: Path, tmp_path: Path) -> None:
    composable = pytest.importorskip("olmo_core.data.composable")
    from olmo_core.data import TokenizerConfig

    _, record, out = run(place, "olmo-core", "ds")
    length = 16
    windows: dict[tuple[tuple[int, ...], tuple[bool, ...]], str] = {}
    for bucket in record.tokens():
        paths = record.paths(bucket, out)
        tokens = np.concatenate([np.fromfile(path, np.uint16) for path in paths])
        loss = np.concatenate([np.fromfile(f"{path}.loss", bool) for path in paths])
        for start in range(0, len(tokens) - length + 1, length):
            here = slice(start, start + length)
            windows[tuple(tokens[here].tolist()), tuple(loss[here].tolist())] = bucket
    told = orjson.loads((out / "mixture.json").read_bytes())["buckets"]
    one_pass = sum(b["passes"] * b["tokens"] for b in told)
    tokenizer = TokenizerConfig(
        vocab_size=record.vocabulary, eos_token_id=record.end_id, pad_token_id=record.end_id
    )
    source = masked_mixture(
        out, tokenizer=tokenizer, sequence_length=length, num_tokens=int(0.9 * one_pass)
    ).build(tmp_path)
    assert isinstance(source, composable.MixingInstanceSource)
    drawn = [source[n] for n in range(len(source))]
    buckets = [
        windows[tuple(map(int, one["input_ids"])), tuple(map(bool, one["label_mask"]))]
        for one in drawn
    ]
    assert sum(not any(one["label_mask"]) or not all(one["label_mask"]) for one in drawn) > 5
    for bucket in told:
        share = buckets.count(bucket["name"]) / len(buckets)
        assert share == pytest.approx(bucket["number"], abs=0.01)


def test_olmo_core_s_masks_are_asked_for_where_there_are_some(tmp_path: Path) -> None:
    pytest.importorskip("olmo_core.data.composable")
    with pytest.raises(ManifestError, match="does not hold what OLMo-core draws by"):
        masked_mixture(tmp_path, tokenizer=None, sequence_length=8, num_tokens=8)


def test_the_shares_are_of_the_tokens_that_were_counted(place: Path) -> None:
    manifest, record, out = run(place, "olmo-core", "ds")
    told = orjson.loads((out / "mixture.json").read_bytes())
    seen = {b: manifest.weights[b] * n for b, n in record.tokens().items()}
    assert told["unit"] == "tokens"
    assert {b["name"]: b["number"] for b in told["buckets"]} == pytest.approx(
        {name: n / sum(seen.values()) for name, n in seen.items()}
    )


def test_workers_do_not_change_what_is_written(place: Path) -> None:
    manifest, tokenizer = load_manifest(place / "m"), place / "tokenizer.json"
    for workers in (1, 2):
        out = place / f"workers{workers}"
        tokenise(manifest, out, tokenizer=tokenizer, kind="ds", workers=workers)
    names = sorted(p.relative_to(place / "workers1") for p in (place / "workers1").rglob("*.*"))
    assert len(names) > 10
    for name in names:
        assert (place / "workers1" / name).read_bytes() == (place / "workers2" / name).read_bytes()


def test_a_token_is_masked_where_any_character_of_it_is(place: Path) -> None:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"we": 0, "are": 1}, "we"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    encoded = tokenizer.encode("we are we are")
    assert loss_of(encoded, [(5, 8)]).tolist() == [True, False, False, True]
    assert loss_of(encoded, [(6, 7)]).tolist() == [True, True, True, True]
    assert loss_of(encoded, [(0, 13)]).tolist() == [False] * 4


def test_a_span_to_the_end_of_a_text_cuts_nothing_off(place: Path, tmp_path: Path) -> None:
    text = "the machine waited for the evening"
    document = Document(text=text, id="0", metadata={SPANS: [(12, len(text))]})
    step = MaskedDocumentTokenizer(tmp_path, place / "tokenizer.json", END, masked=True)
    counts = step.write_file([document], "one")
    tokenizer = tokenizers.Tokenizer.from_file(str(place / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    whole = tokenizer.encode(text)
    loss = [*(stop <= 12 for _, stop in whole.offsets), True]
    assert np.fromfile(tmp_path / "one.ds", np.uint16).tolist() == [
        *whole.ids,
        tokenizer.token_to_id(END),
    ]
    assert np.fromfile(tmp_path / "one.ds.loss", bool).tolist() == loss
    assert counts.masked == loss.count(False) > 3


def test_what_cannot_be_tokenised_is_refused(place: Path, tmp_path: Path) -> None:
    manifest = load_manifest(place / "m")
    (tmp_path / "no.json").write_text("{}", "utf-8")
    with pytest.raises(ManifestError, match=r"is no tokenizer .* with --tokenize"):
        tokenise(manifest, tmp_path / "d", tokenizer=tmp_path / "no.json", kind="ds")
    with pytest.raises(ManifestError, match="has no token '<stop>': name one of its vocabulary"):
        tokenise(
            manifest, tmp_path / "d", tokenizer=place / "tokenizer.json", kind="ds", end="<stop>"
        )


def test_tokens_of_another_reweighing_are_refused(place: Path) -> None:
    manifest, _, out = run(place, "nanotron", "ds")
    record = orjson.loads((out / "tokens" / "tokens.json").read_bytes())
    (out / "tokens" / "tokens.json").write_bytes(orjson.dumps(record | {"data": "/elsewhere"}))
    with pytest.raises(ManifestError, match="holds tokens of another manifest or reweighing"):
        export(manifest, to="nanotron", out=out)
