"""Keys of the service: made on the command line, shown once, kept only as a hash.

A key is `narrascope_<id>_<secret>`; the id finds its row, and the secret is 256 random bits. Such a
secret cannot be guessed from its hash, however fast that is, so SHA-256 is enough: the slow hashes
are for passwords that people choose, and would here cost every request some tenth of a second.
"""

import hmac
import re
import secrets
import sqlite3
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Literal, get_args

from ..errors import SettingsError
from .state import State

Scope = Literal["read", "text", "score", "manifest", "audit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""What a key may do: `admin` is all of it."""

MAX_DAYS = 3650
"""How long a key may be valid at most."""

_TOKEN = re.compile(r"narrascope_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NOBODY = bytes(sha256().digest_size)


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key without its secret; `expires` is the first day (UTC) on which it is no longer valid."""

    id: str
    name: str
    scopes: frozenset[str]
    created: date
    expires: date
    revoked: date | None = None
    used: date | None = None

    def state(self, today: date) -> str:
        """Return `valid`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "valid" if today < self.expires else "expired"


def utc_today() -> date:
    """Return the day that keys go by."""
    return datetime.now(UTC).date()


class Keys:
    """The keys in a service's state.

    Args:
        state: where they are kept.
        today: the day it is.
    """

    def __init__(self, state: State, *, today: Callable[[], date] = utc_today) -> None:
        self._state = state
        self._today = today

    def make(self, name: str, *, scopes: Collection[str], days: int) -> tuple[Key, str]:
        """Make a key, and return it with the token that its holder sends; the token is not kept.

        Args:
            name: whose it is, for people.
            scopes: of `SCOPES`, at least one.
            days: for how many days it is valid, from 1 to `MAX_DAYS`.

        Raises:
            SettingsError: an argument cannot be used.
        """
        if not name.strip() or len(name) > 100 or not name.isprintable():
            raise SettingsError(f"key name {name[:40]!r}: give 1 to 100 printable characters")
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise SettingsError(f"no scope {unknown[0]!r}: choose from {', '.join(SCOPES)}")
        if not scopes:
            raise SettingsError(f"a key needs a scope: choose from {', '.join(SCOPES)}")
        if not 1 <= days <= MAX_DAYS:
            raise SettingsError(f"{days} days: a key is valid for 1 to {MAX_DAYS:,}")
        today = self._today()
        key = Key(
            id=secrets.token_hex(6), name=name, scopes=frozenset(scopes), created=today,
            expires=today + timedelta(days=days),
        )  # fmt: skip
        token = f"narrascope_{key.id}_{secrets.token_urlsafe(32)}"
        kept = [key.id, _digest(token), name, " ".join(sorted(key.scopes)), str(today)]
        with self._state.writing() as connection:
            connection.execute(
                "INSERT INTO keys (id, digest, name, scopes, created, expires) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [*kept, str(key.expires)],
            )
        return key, token

    def all(self) -> list[Key]:
        """Return every key that was ever made, the oldest first."""
        return [_key(row) for row in self._state.read("SELECT * FROM keys ORDER BY created, id")]

    def any_valid(self) -> bool:
        """Return whether there is a key that would be let in."""
        return any(key.state(self._today()) == "valid" for key in self.all())

    def revoke(self, id: str) -> Key:
        """Revoke a key; the next request with it is refused. Twice is as once.

        Raises:
            SettingsError: there is no key of this id.
        """
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE keys SET revoked = coalesce(revoked, ?) WHERE id = ?",
                [str(self._today()), id],
            )
            row = connection.execute("SELECT * FROM keys WHERE id = ?", [id]).fetchone()
        if row is None:
            known = ", ".join(key.id for key in self.all()) or "none was made"
            raise SettingsError(f"no key {id[:40]!r}: choose from the ids ({known})")
        return _key(row)

    def find(self, token: str) -> Key | None:
        """Return the valid key of a token, and note that it was used today; else None."""
        match = _TOKEN.fullmatch(token)
        rows = self._state.read("SELECT * FROM keys WHERE id = ?", match[1]) if match else []
        digest = rows[0]["digest"] if rows else _NOBODY
        if not hmac.compare_digest(_digest(token), digest):
            return None
        key, today = _key(rows[0]), self._today()
        if key.state(today) != "valid":
            return None
        if key.used != today:
            # A state that cannot be written for the moment keeps nobody out.
            with suppress(sqlite3.OperationalError), self._state.writing() as connection:
                connection.execute("UPDATE keys SET used = ? WHERE id = ?", [str(today), key.id])
        return key


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _key(row: sqlite3.Row) -> Key:
    days = {
        name: date.fromisoformat(row[name]) if row[name] else None for name in ("revoked", "used")
    }
    return Key(
        id=row["id"], name=row["name"], scopes=frozenset(row["scopes"].split()),
        created=date.fromisoformat(row["created"]), expires=date.fromisoformat(row["expires"]),
        **days,
    )  # fmt: skip
