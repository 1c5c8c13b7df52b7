"""A language model as a reader: asked over HTTP, its answers checked before they count.

The endpoint speaks the chat-completions protocol of OpenAI, as vLLM, llama.cpp, Ollama and most
hosted services do.
"""

import json
import random
import time
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import httpx
import xxhash

from ..errors import LabelsError, one_line
from .taxonomy import BEHAVIOURS, GENRES, LABELS, STANCES, read_taxonomy

TRIES = 6
"""How often a request is made at most while the endpoint is busy or down."""

_LONGEST_PAUSE = 60.0
_BUSY = (408, 409, 429)


class MalformedAnswerError(Exception):
    """What came back is no JSON object; the text of the exception is its beginning."""


@cache
def instructions() -> str:
    """Return what a model is told before each passage: the shipped prompt and the taxonomy."""
    prompt = files(__spec__.parent).joinpath("reader_prompt.md").read_text("utf-8")
    taxonomy = read_taxonomy()
    lines = [prompt]
    for title, terms in {
        "Questions": taxonomy.labels, "Stances": taxonomy.stances, "Genres": taxonomy.genres,
        "Behaviours": taxonomy.behaviours,
    }.items():  # fmt: skip
        lines.append(f"\n## {title}\n")
        lines += [f"- `{term.name}`: {term.definition}" for term in terms]
    return "\n".join(lines) + "\n"


def instructions_digest() -> str:
    """Return the xxh3_64 of the instructions as 16 hexadecimal digits."""
    return xxhash.xxh3_64_hexdigest(instructions().encode())


class ModelReader:
    """Asks a model what a passage says. May be used from several threads.

    Args:
        endpoint: the API's base, such as `http://localhost:8000/v1`.
        model: the model's name there.
        key: sent as a bearer token where given; it is never written or shown.
        pause: waits for some seconds.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        *,
        key: str | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.model = model
        self._url = f"{endpoint.rstrip('/')}/chat/completions"
        self._pause = pause
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(120.0, connect=10.0))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def answer(self, text: str) -> dict[str, Any]:
        """Return the model's answers on a passage, not yet checked against the taxonomy.

        Raises:
            MalformedAnswerError: what came back is no JSON object.
            LabelsError: the endpoint refuses, or stays busy or out of reach.
        """
        response = self._ask(
            {
                "model": self.model,
                "temperature": 0,
                "messages": [
                    {"role": "system", "content": instructions()},
                    {"role": "user", "content": f"<passage>\n{text}\n</passage>"},
                ],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "reading", "strict": True, "schema": answer_schema()},
                },
            }
        )
        try:
            content = response.json()["choices"][0]["message"]["content"]
            found = json.loads(content[content.index("{") : content.rindex("}") + 1])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise MalformedAnswerError(" ".join(response.text.split())[:200]) from error
        return found

    def _ask(self, body: dict[str, Any]) -> httpx.Response:
        said = ""
        for attempt in range(TRIES):
            try:
                response = self._client.post(self._url, json=body)
            except httpx.InvalidURL as error:
                raise LabelsError(
                    f"--endpoint {self._url} is no URL: give one such as http://localhost:8000/v1"
                ) from error
            except httpx.TransportError as error:
                said, wait = one_line(error), None
            else:
                if response.is_success:
                    return response
                said, wait = f"status {response.status_code}", response.headers.get("Retry-After")
                if response.status_code not in _BUSY and response.status_code < 500:
                    detail = " ".join(response.text.split())[:200]
                    raise LabelsError(
                        f"{self._url} refuses ({said}: {detail}): check --endpoint, --model and "
                        "NARRASCOPE_ENDPOINT_KEY"
                    )
            if attempt + 1 < TRIES:
                self._pause(_seconds(wait, attempt))
        raise LabelsError(
            f"{self._url} did not answer in {TRIES} tries ({said}): the same command goes on where "
            "this one stopped"
        )


def _seconds(wait: str | None, attempt: int) -> float:
    """Return how long to wait: what the endpoint asks for, else twice as long each time."""
    if wait and wait.isascii() and wait.isdigit():
        return min(float(wait), _LONGEST_PAUSE)
    # Jitter, so that threads that were refused together do not come back together.
    return min(2.0**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311


def answer_schema() -> dict[str, Any]:
    """Return the JSON schema of an answer."""
    answer = {"enum": [True, False, "unsure"]}
    properties: dict[str, Any] = {
        **dict.fromkeys(LABELS, answer),
        "stance": {"type": "string", "enum": list(STANCES)},
        "genre": {"type": "string", "enum": list(GENRES)},
        "behaviours": {"type": "array", "items": {"type": "string", "enum": list(BEHAVIOURS)}},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
