"""A language model reads an audit over real sockets: checked, resumed, its key never shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from narrascope.errors import LabelsError
from narrascope.labels.reader import ModelReader, instructions, instructions_digest
from narrascope.labels.taxonomy import BEHAVIOURS, GENRES, LABELS, STANCES
from narrascope.store.audit_import import ImportReport, import_labels
from narrascope.store.audit_label import label_audit
from narrascope.store.audits import Audit
from narrascope.store.settled import NO, YES, settle
from narrascope.tests.audit_folder import answered, answers, draw, publish_documents, write_jsonl
from narrascope.tests.chat_server import Reply, chat_server


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return draw(publish_documents(str(tmp_path_factory.mktemp("label"))), budget=60)


@pytest.fixture
def audit(drawn: Audit) -> Any:
    """The audit without labels before and after."""
    yield drawn
    for path in Path(drawn.path("labels")).glob("*"):
        path.unlink()


def say(passage: str, _: int = 0) -> Reply:
    return 200, f"```json\n{json.dumps(answers(passage))}\n```"


def read(audit: Audit, endpoint: str, **options: Any) -> ImportReport:
    reader = ModelReader(endpoint, "m", pause=lambda seconds: None, **options)
    try:
        return label_audit(audit, reader)
    finally:
        reader.close()


def test_every_item_is_read_and_its_answers_are_kept_with_their_origin(audit: Audit) -> None:
    with chat_server(say) as (endpoint, heard):
        report = read(audit, endpoint)
    assert (report.kept, report.bad) == ({"audit-1": 60}, [])
    assert len(heard.bodies) == 60
    settled = settle(audit)
    assert set(settled.answer["malevolent"].tolist()) == {YES, NO}
    assert settled.by_model.all()
    (table, *_) = audit.imports()
    assert set(table["annotator"].to_pylist()) == {"model:m"}
    assert set(table["prompt"].to_pylist()) == {instructions_digest()}


def test_the_model_is_told_the_guidelines_and_given_the_passage_alone(audit: Audit) -> None:
    with chat_server(say) as (endpoint, heard):
        read(audit, endpoint)
    body = heard.bodies[0]
    assert body["temperature"] == 0 and body["model"] == "m"
    system, user = (message["content"] for message in body["messages"])
    assert system == instructions()
    assert all(f"`{name}`" in system for name in (*LABELS, *STANCES, *GENRES, *BEHAVIOURS))
    assert user.startswith("<passage>\n") and user.endswith("\n</passage>")
    schema = body["response_format"]["json_schema"]["schema"]
    assert set(LABELS) < set(schema["required"])


def test_a_busy_endpoint_is_asked_again(audit: Audit) -> None:
    def busy(passage: str, before: int) -> Reply:
        return say(passage) if before >= 2 else ((429, "slow down"), (503, "down"))[before]

    with chat_server(busy) as (endpoint, heard):
        report = read(audit, endpoint)
    assert report.kept == {"audit-1": 60} and len(heard.bodies) == 180


def test_malformed_answers_are_named_and_asked_for_again_by_the_same_command(
    audit: Audit,
) -> None:
    spoiled: dict[str, Any] = {}

    def sometimes(passage: str, before: int) -> Reply:
        spoiled.setdefault(passage, len(spoiled))
        faults = ["I cannot say.", json.dumps(answers(passage) | {"malevolent": "perhaps"})]
        return (200, faults[spoiled[passage]]) if spoiled[passage] < 2 else say(passage)

    with chat_server(sometimes) as (endpoint, _):
        report = read(audit, endpoint)
        assert report.kept == {"audit-1": 58} and len(report.bad) == 2
        told = "\n".join(report.bad)
        assert "no JSON object came back" in told and "I cannot say." in told
        assert "malevolent: 'perhaps' is no answer" in told
    with chat_server(say) as (endpoint, heard):
        again = read(audit, endpoint)
    assert (again.kept, again.known, len(heard.bodies)) == ({"audit-1": 2}, 58, 2)


def test_what_was_read_before_the_endpoint_went_down_is_kept(audit: Audit) -> None:
    asked: list[str] = []

    def until_fifty(passage: str, _: int) -> Reply:
        asked.append(passage)
        return say(passage) if len(asked) <= 50 else (500, "out of memory")

    with (
        chat_server(until_fifty) as (endpoint, _),
        pytest.raises(LabelsError, match=r"did not answer in 6 tries \(status 500\)"),
    ):
        read(audit, endpoint)
    with chat_server(say) as (endpoint, heard):
        report = read(audit, endpoint)
    assert report.known == 50 and len(heard.bodies) == 10


def test_the_key_is_sent_and_stands_in_no_message_and_no_file(audit: Audit) -> None:
    with chat_server(say) as (endpoint, heard):
        read(audit, endpoint, key="s3cret-key")
    assert set(heard.authorisation) == {"Bearer s3cret-key"}
    with chat_server(lambda passage, before: (401, "bad key")) as (endpoint, _):
        reader = ModelReader(endpoint, "m", key="s3cret-key")
        with pytest.raises(LabelsError) as told:
            reader.answer("A robot.")
        reader.close()
    assert "refuses (status 401: bad key)" in str(told.value)
    assert "NARRASCOPE_ENDPOINT_KEY" in str(told.value) and "s3cret" not in str(told.value)
    home = Path(audit.folder.root)
    assert not any(b"s3cret" in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_an_endpoint_that_nobody_serves_is_told_in_one_line(audit: Audit) -> None:
    with chat_server(say) as (endpoint, _):
        pass
    with pytest.raises(LabelsError, match="the same command goes on where this one stopped"):
        read(audit, endpoint)
    with pytest.raises(LabelsError, match=r"is no URL|did not answer"):
        read(audit, "nowhere")


def test_people_s_records_go_before_a_model_s(audit: Audit, tmp_path: Path) -> None:
    def wrong(passage: str, _: int) -> Reply:
        return 200, json.dumps(answers("A robot."))

    with chat_server(wrong) as (endpoint, _):
        read(audit, endpoint)
    assert YES not in settle(audit).answer["malevolent"]
    import_labels(audit.folder, [write_jsonl(tmp_path / "a.jsonl", answered(audit))])
    settled = settle(audit)
    assert YES in settled.answer["malevolent"]
    assert not settled.by_model.any()


def test_other_instructions_mean_another_reading(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat_server(say) as (endpoint, heard):
        read(audit, endpoint)
        monkeypatch.setattr("narrascope.store.audit_label.instructions_digest", lambda: "0" * 16)
        report = read(audit, endpoint)
    assert report.known == 0 and len(heard.bodies) == 120
