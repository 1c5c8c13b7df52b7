"""The reference at `/docs`: the OpenAPI description as a page, without any other host's script."""

import json
import re
from html import escape
from typing import Any


def render_reference(openapi: dict[str, Any]) -> str:
    """Return an OpenAPI description as an HTML page, every text in it escaped."""
    operations = [
        _operation(method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    models = [
        f'<section id="{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{_prose(model.get('description'))}</p>{_properties(model)}</section>"
        for name, model in openapi.get("components", {}).get("schemas", {}).items()
        if "properties" in model
    ]
    title = escape(openapi["info"]["title"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · REST reference</title>"
        '<link rel="icon" href="/static/mark.svg"><link rel="stylesheet" href="/static/page.css">'
        f'</head><body class="reference"><header class="masthead"><h1><a href="/">{title}</a></h1>'
        f"<p>{_prose(openapi['info'].get('description'))}</p>"
        '<p>Machine-readable: <a href="/openapi.json">openapi.json</a></p></header>'
        f"<main><h2>Operations</h2>{''.join(operations)}<h2>Models</h2>{''.join(models)}</main>"
        "</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = [
        _row(p["name"], p["schema"], p.get("description"), required=p.get("required", False))
        for p in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if body:
        parameters.append(_row("(body)", body["schema"], "JSON", required=True))
    found = operation["responses"]
    content = next((found[s] for s in ("200", "201", "202") if s in found), {}).get("content", {})
    media = content.get("application/json") or content.get("text/plain", {})
    schema = media.get("schema", {})
    answer = f"<p>Answers {_kind(schema)}</p>" if schema else ""
    paragraphs = "".join(
        f"<p>{_prose(paragraph)}</p>"
        for paragraph in operation.get("description", "").split("\n\n")
        if paragraph.strip()
    )
    return (
        f"<section><h3><code>{method.upper()} {escape(path)}</code></h3>{paragraphs}"
        f"{_table(parameters)}{answer}{_example('Body', body)}{_example('Answer', media)}</section>"
    )


def _example(title: str, media: dict[str, Any]) -> str:
    if "example" not in media:
        return ""
    example = media["example"]
    text = example if isinstance(example, str) else json.dumps(example, indent=2)
    return f"<details><summary>{title}: an example</summary><pre>{escape(text)}</pre></details>"


def _properties(model: dict[str, Any]) -> str:
    required = model.get("required", [])
    return _table(
        [
            _row(name, schema, schema.get("description"), required=name in required)
            for name, schema in model["properties"].items()
        ]
    )


def _table(rows: list[str]) -> str:
    return f'<div class="scroll"><table>{"".join(rows)}</table></div>' if rows else ""


def _row(name: str, schema: dict[str, Any], description: str | None, *, required: bool) -> str:
    default = schema.get("default")
    notes = [description, f"default `{default}`" if default is not None else None]
    described = _prose("; ".join(note for note in notes if note))
    mark = "" if required else " <small>optional</small>"
    return (
        f'<tr><th scope="row"><code>{escape(name)}</code>{mark}</th>'
        f"<td>{_kind(schema)}</td><td>{described}</td></tr>"
    )


def _kind(schema: dict[str, Any]) -> str:
    """Return a schema's type in a few words, models as links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "anyOf" in schema:
        kinds = [_kind(choice) for choice in schema["anyOf"] if choice.get("type") != "null"]
        return " | ".join(kinds)
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("type", "any")))


def _prose(text: str | None) -> str:
    """Return a text as one escaped line, what stands between backticks as code."""
    line = escape(" ".join((text or "").split()))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", line)
