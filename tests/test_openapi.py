"""The OpenAPI description: an example of every route, and refusals as what they are."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from narrascope.api.app import TOPICS, create_app
from narrascope.api.description import EXAMPLES
from narrascope.tests.openapi_examples import make
from narrascope.tests.tag_folder import publish_corpus

MADE: dict[str, dict[str, Any]] = orjson.loads(EXAMPLES.read_bytes())
AGAIN = "run `python -m narrascope.tests.openapi_examples`"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(publish_corpus(str(tmp_path_factory.mktemp("openapi"))).url)


def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_has_an_example_and_every_example_a_route(app: FastAPI) -> None:
    found = operations(app)
    assert set(MADE) == set(found), AGAIN
    for name, operation in found.items():
        content = operation["responses"][str(MADE[name]["status"])]["content"]
        assert any("example" in media for media in content.values()), name
        if body := operation.get("requestBody"):
            assert "example" in body["content"]["application/json"], name
        for parameter in operation.get("parameters", ()):
            assert not parameter["required"] or "example" in parameter, (name, parameter["name"])


@pytest.mark.parametrize("name", sorted(MADE))
def test_an_example_is_what_its_route_answers_with(name: str) -> None:
    models = {
        f"{method.lower()} {route.path_format}": route.response_model
        for topic in TOPICS
        for route in topic.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    answer = MADE[name]["answer"]
    if (model := models[name]) is not None:
        if "folder" in getattr(model, "model_fields", {}) and "folder" not in answer:
            answer = {**answer, "folder": "/data"}  # where it was read; it is not shown
        TypeAdapter(model).validate_python(answer)


def fields(value: Any) -> Any:
    """Return the names in an answer, without its values."""
    if isinstance(value, dict):
        return {name: fields(item) for name, item in value.items()}
    return [fields(item) for item in value] if isinstance(value, list) else None


def test_the_examples_are_of_this_version(tmp_path: Path) -> None:
    assert fields(make(tmp_path)) == fields(MADE), AGAIN


def test_every_refusal_is_described_as_a_problem(app: FastAPI) -> None:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for name, operation in operations(app).items():
        for status, answer in operation["responses"].items():
            if not status.startswith(("2", "3")):
                assert answer["content"] == {"application/problem+json": problem}, (name, status)
        assert "default" in operation["responses"]
    assert "HTTPValidationError" not in app.openapi()["components"]["schemas"]
