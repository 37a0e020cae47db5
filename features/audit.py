"""Audit: who changed what, and who looked at what. Rows are added and never changed.

Each row holds the fingerprint of the one before it, so that one that has been changed or taken out shows. Of
what is secret or personal only the field's name is kept: an erasure then leaves the chain whole.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import db
from db.clock import now
from db.tables import Audit

CHECKED_AT_A_TIME = 1_000
PERSONAL = frozenset({"name", "username", "email"})  # of an agent or a visitor


@dataclass(frozen=True)
class Last:
    """The latest change of something."""

    name: str  # of whoever made it
    at: datetime


async def note(
    agent: int | None, what: str, about: str, fields: Mapping[str, tuple[Any, Any] | None] | None = None
) -> None:
    """Within the transaction that it is about. `fields`: name → (before, after), or None where only that it
    changed may be told."""
    await db.lock("audit")
    latest = await Audit.select(Audit.hash).order_by(Audit.id, ascending=False).first()
    row: dict[str, Any] = {
        "at": now(),
        "agent": agent,
        "what": what,
        "about": about,
        "fields": json.dumps(fields or {}, ensure_ascii=False, sort_keys=True, default=str),
        "previous": latest["hash"] if latest else "",
    }
    await Audit.insert(Audit(**row, hash=fingerprint(row)))


def fingerprint(row: Mapping[str, Any]) -> str:
    """Of all that a row says. JSON is written anew, since PostgreSQL gives it back as it pleases."""
    said = [
        row["at"].astimezone(UTC).isoformat(),
        row["agent"],
        row["what"],
        row["about"],
        json.dumps(json.loads(row["fields"]), ensure_ascii=False, sort_keys=True),
        row["previous"],
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


async def last_change(about: str) -> Last | None:
    row = await (
        Audit.select(Audit.agent.name.as_alias("name"), Audit.at)
        .where(Audit.about == about)
        .order_by(Audit.id, ascending=False)
        .first()
    )
    return Last(row["name"] or "", row["at"]) if row else None


@dataclass(frozen=True)
class Checked:
    rows: int
    broken: (
        int | None
    )  # the id of the first row that is not as it was written or does not follow the one before


async def check() -> Checked:
    """The whole chain, some rows at a time."""
    previous, rows, last = "", 0, 0
    while part := await Audit.select().where(Audit.id > last).order_by(Audit.id).limit(CHECKED_AT_A_TIME):
        for row in part:
            if row["previous"] != previous or not is_as_written(row):
                return Checked(rows, int(row["id"]))
            previous, rows, last = row["hash"], rows + 1, row["id"]
    return Checked(rows, None)


def is_as_written(row: Mapping[str, Any]) -> bool:
    try:
        return bool(row["hash"] == fingerprint(row))
    except ValueError:  # no JSON any more
        return False


async def first_break() -> int | None:
    return (await check()).broken


async def verify() -> int:
    """From the command line: 0 if all is in order."""
    checked = await check()
    if checked.broken is None:
        print(f"balie: the audit is in order, {checked.rows} lines")
        return 0
    print(f"balie: the audit is broken at line {checked.broken}", file=sys.stderr)
    return 1


commands = [("verify-audit", "check that no line of the audit was changed or taken out", verify)]
routes: list[Any] = []
