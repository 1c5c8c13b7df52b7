"""The service does what its OpenAPI description says, whatever is asked: schemathesis, all checks.

Examples, boundaries of every parameter, generated requests, valid and not, and sequences of
requests are sent over HTTP to a service that needs a key, with manifests, jobs, audits and exports.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from narrascope.api.access import Protection
from narrascope.api.keys import Keys
from narrascope.api.places import Places
from narrascope.api.state import State
from narrascope.tests.openapi_examples import make
from narrascope.tests.served import listening

SAID_IN_A_LANGUAGE = (
    "GET /v1/documents", "GET /v1/prevalence", "POST /v1/plans", "POST /v1/manifests",
    "POST /v1/manifests/{manifest_id}/reweighs", "POST /v1/audits",
)  # fmt: skip
"""Routes with conditions, cursors, policies, paths or names that are taken: strings of which a JSON
schema cannot say which are right. All others may refuse nothing that the description allows."""

REFUSED = """[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422]
"""
"""A thousand and one labels are too many, and may be too many bytes first."""

CONFIG = REFUSED + "\n".join(
    f"""[[operations]]
include-name = "{name}"
checks.positive_data_acceptance.expected-statuses = [200, 201, 202, 304, 401, 403, 404, 409, 422]
"""
    for name in SAID_IN_A_LANGUAGE
)


def conforms(folder: Path, *options: str) -> None:
    """Serve the examples' tag folder, and let schemathesis ask it."""
    make(folder)
    tags = folder / "tags"
    _, token = Keys(State(tags / "service.sqlite")).make("tester", scopes=["admin"], days=1)
    places = Places(corpora=[str(folder / "corpus")], outputs=folder / "out")
    protection = Protection(require_keys=True, body_seconds=5)
    (folder / "schemathesis.toml").write_text(CONFIG)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run"]
    with listening(str(tags), judge=False, protection=protection, places=places) as port:
        found = subprocess.run(
            [
                *command, f"http://localhost:{port}/openapi.json", "--checks", "all",
                "--header", f"Authorization: Bearer {token}", "--no-color",
                "--suppress-health-check", "all", *options,
            ],
            cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert found.returncode == 0, found.stdout
    assert "25 selected / 25 total" in found.stdout


def test_every_route_answers_as_described(tmp_path: Path) -> None:
    conforms(tmp_path, "--max-examples", "6", "--generation-deterministic")


@pytest.mark.slow
def test_every_route_answers_as_described_to_many_more_requests(tmp_path: Path) -> None:
    conforms(tmp_path, "--max-examples", "100", "--generation-deterministic")
