"""Labelling an audit by a language model: kept as it goes, resumed where it stopped."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import ValidationError

from ..labels.audit import LabelRecord
from ..labels.reader import MalformedAnswerError, ModelReader, instructions_digest
from .audit_import import ImportReport, fault_of, keep
from .audits import Audit
from .settled import latest_records

_KEPT_TOGETHER = 50
_TRIES = 2


def label_audit(
    audit: Audit,
    reader: ModelReader,
    *,
    workers: int = 4,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ImportReport:
    """Have a model read every item of an audit that it has not read under these instructions.

    Its records are kept as those of the annotator `model:<name>`, with the digest of the
    instructions. `bad` of the report names the items of which no answer could be used; the same
    command again asks for those alone.

    Args:
        audit: the audit.
        reader: the model.
        workers: requests at a time.
        progress: called with (items done, all items).

    Raises:
        LabelsError: the endpoint refuses or cannot be reached; what was read before is kept.
    """
    annotator, prompt = f"model:{reader.model}", instructions_digest()
    standing = latest_records(audit)
    items = audit.items.select(["id", "text"]).to_pylist()
    report = ImportReport()

    def is_new(item: dict[str, Any]) -> bool:
        record = standing[item["id"]].get(annotator) if item["id"] in standing else None
        return record is None or record["prompt"] != prompt

    left = [item for item in items if is_new(item)]
    report.known = len(items) - len(left)

    def read(item: dict[str, Any]) -> LabelRecord | str:
        fault = ""
        for _ in range(_TRIES):
            try:
                found = reader.answer(item["text"])
                return LabelRecord.model_validate(
                    {
                        **found,
                        "audit": audit.design.name,
                        "taxonomy": audit.design.taxonomy_digest,
                        "id": item["id"],
                        "annotator": annotator,
                        "model": reader.model,
                        "prompt": prompt,
                    }
                )
            except MalformedAnswerError as error:
                fault = f"no JSON object came back: {error}"
            except ValidationError as error:
                fault = fault_of(error)
        return f"{item['id']}: {fault}"

    progress(report.known, len(items))
    with ThreadPoolExecutor(workers) as threads:
        for start in range(0, len(left), _KEPT_TOGETHER):
            batch = left[start : start + _KEPT_TOGETHER]
            results = list(threads.map(read, batch))
            report.bad += [result for result in results if isinstance(result, str)]
            good = [result for result in results if isinstance(result, LabelRecord)]
            if good:
                keep(audit, good, report)
            progress(report.known + start + len(batch), len(items))
    return report
