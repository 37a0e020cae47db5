"""The desk itself: its name, its time zone, its secret. One row, read at the start and kept."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import layouts
from db.tables import Desk


@dataclass(frozen=True)
class Facts:
    name: str
    time_zone: ZoneInfo
    language: str
    secret: bytes
    guided: bool = False  # the first steps are still in the menu
    block_days: int = 7
    emergency_numbers: str = ""  # besides 112
    accessibility_contact: str = ""
    accessibility_body: str = ""
    accessibility_on: str = ""
    security_contact: str = ""
    house_style: Mapping[str, str] = field(default_factory=dict)  # what is taken of a theme file
    numbers: tuple[str, ...] = ("bsn", "rrn", "iban", "card")  # kinds to be careful with


facts = Facts("Balie", ZoneInfo("Europe/Brussels"), "nl", b"")


async def load() -> Facts:
    global facts
    row = await Desk.select().first()
    if row:
        facts = Facts(
            row["name"],
            ZoneInfo(row["time_zone"]),
            row["language"],
            row["secret"].encode(),
            row["guided"],
            row["block_days"],
            row["emergency_numbers"],
            row["accessibility_contact"],
            row["accessibility_body"],
            row["accessibility_on"],
            row["security_contact"],
            json.loads(row["house_style"]),
            tuple(row["numbers"].split()),
        )
        layouts.dutch = row["dutch"]
    layouts.zone, layouts.own_language = facts.time_zone, facts.language
    return facts


def keyed(*words: str) -> str:
    """A fingerprint by which something personal, such as an address, is recognised but cannot be read."""
    return hmac.digest(facts.secret, "\0".join(words).encode(), "sha256").hex()


starts = [load]
