"""The OpenAPI description: every refusal as a problem document, and an example for each route."""

from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from .problems import MEDIA_TYPE

EXAMPLES = Path(__file__).with_name("examples.json")
"""By method and path: `body` of a request, `answer` to it, and `parameters` by name."""

_METHODS = ("get", "post", "delete")


def describe(app: FastAPI) -> None:
    """Make an application describe its refusals as they are, and show examples."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(made_by_fastapi())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    examples = orjson.loads(EXAMPLES.read_bytes())
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, methods in schema["paths"].items():
        for method in _METHODS & methods.keys():
            operation = methods[method]
            answers = operation["responses"]
            answers.pop("422", None)  # what FastAPI would answer; here it is a problem
            answers["default"] = {"description": "A refusal, told in a line", "content": problem}
            for status, answer in answers.items():
                if status.isdigit() and int(status) >= 400:
                    answer["content"] = problem
            _exemplify(operation, examples.get(f"{method} {path}", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    return schema


def _exemplify(operation: dict[str, Any], example: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.get("parameters", ()):
            parameter["example"] = example["parameters"][parameter["name"]]
    if "body" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["body"]
    for kind, status in (("answer", example.get("status")), ("accepted", 202)):
        if kind in example:
            content = operation["responses"][str(status)]["content"]
            (media,) = [m for m in content if not m.endswith(("csv", "stream", "parquet"))]
            content[media]["example"] = example[kind]
