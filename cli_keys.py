"""The command line's verbs on the keys of the service: make, list, revoke."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .cli_manifest import Format, TableFormat, Tags
from .settings import read_settings

if TYPE_CHECKING:
    from .api.keys import Keys

keys = typer.Typer(help="Make, list and revoke keys of the service.", no_args_is_help=True)


@keys.command("make")
def keys_make(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    tags: Tags,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: read, text, score, manifest, audit or admin; repeat it. "
            "read by default."
        ),
    ] = None,
    days: Annotated[int, typer.Option(help="How long it is valid.")] = 365,
) -> None:
    """Make a key, and print it this once."""
    key, token = _keys(tags).make(name, scopes=scope or ["read"], days=days)
    print(token)
    print(
        f"key {key.id} of {key.name}: {', '.join(sorted(key.scopes))}, valid until {key.expires}; "
        "only its hash is kept, so it cannot be shown again",
        file=sys.stderr,
    )


@keys.command("list")
def keys_list(tags: Tags, format: Format = TableFormat.table) -> None:
    """List the keys that were made, without the keys themselves."""
    from .api.keys import utc_today

    rows = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": " ".join(sorted(key.scopes)),
            "state": key.state(utc_today()),
            "created": str(key.created),
            "expires": str(key.expires),
            "last_used": str(key.used) if key.used else None,
        }
        for key in _keys(tags).all()
    ]
    terminal.print_table("keys of the service", rows, format)


@keys.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")], tags: Tags
) -> None:
    """Revoke a key: the next request with it is refused."""
    key = _keys(tags).revoke(id)
    terminal.say([f"key {key.id} of {key.name} is revoked"])


def _keys(tags: str) -> "Keys":
    from .api.keys import Keys
    from .api.state import State, state_path
    from .store.folder import TagFolder

    return Keys(State(state_path(TagFolder(tags), given=read_settings().state)))
