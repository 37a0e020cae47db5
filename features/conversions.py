"""Conversions: conversations of the log in a form that leaves the desk: JSON Lines, and a PDF that says on
every page that it is internal.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from litestar import Response

import layouts
from features import desk, finding, records, transcripts
from features.records import Item, Record
from features.transcripts import Entry, Transcript
from layouts import _

AT_A_TIME = 100  # conversations
MEDIA = {"jsonl": "application/jsonl; charset=utf-8", "pdf": "application/pdf"}


def download(made: bytes, format: str, name: str) -> Response[bytes]:
    return transcripts.attached(made, MEDIA[format], f"{name}.{format}", layouts.language.get())


async def all_of(chats: Sequence[int]) -> list[Record]:
    found: list[Record] = []
    for start in range(0, len(chats), AT_A_TIME):
        found += await records.load(chats[start : start + AT_A_TIME])
    return found


# ---- JSON Lines ------------------------------------------------------------------------------------------


async def as_lines(chats: Sequence[int]) -> bytes:
    """A conversation on each line."""
    lines = [json.dumps(written(record), ensure_ascii=False) for record in await all_of(chats)]
    return "".join(f"{line}\n" for line in lines).encode()


def written(record: Record) -> dict[str, Any]:
    known = record.verified
    return {
        "id": record.id,
        "visitor": {
            "name": record.visitor,
            "email": record.email,
            "verified": known
            and {
                "by": known.site,
                "id": known.sub,
                "name": known.name,
                "email": known.email,
                "variables": known.variables,
            },
        },
        "queue": record.queue,
        "subject": record.subject,
        "language": record.language,
        "page": record.page,
        "case_number": record.case_number,
        "asked_at": moment(record.asked_at),
        "started_at": moment(record.started_at),
        "joined_at": moment(record.joined_at),
        "ended_at": moment(record.ended_at),
        "ended_how": record.ended_how if record.ended_at else None,
        "agents": record.agents,
        "rating": record.rating and {"value": record.rating, "remark": record.remark},
        "items": [told(item) for item in record.items],
    }


def told(item: Item) -> dict[str, Any]:
    known = {"at": moment(item.at), "kind": item.kind, "by": item.author, "name": item.name}
    more: dict[str, Any] = {"private": item.is_private, "text": item.words}
    if item.withdrawn_at:
        more["withdrawn_at"] = moment(item.withdrawn_at)
    if item.files:
        more["files"] = [{name: each[name] for name in ("name", "media", "size")} for each in item.files]
    if data := {name: value for name, value in item.data.items() if name not in ("files", "chat")}:
        more["data"] = data
    return known | more


def moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


# ---- PDF -------------------------------------------------------------------------------------------------


async def as_pdf(chats: Sequence[int]) -> bytes:
    return await transcripts.as_pdf(*[paper(record) for record in await all_of(chats)])


def paper(record: Record) -> Transcript:
    code = layouts.language.get()
    return Transcript(
        code,
        layouts.locale().partition("_")[2],
        desk.facts.name,
        _("Conversation of %(day)s") % {"day": layouts.day(record.started_at)},
        "",
        facts(record),
        entries(record),
        _("Internal: contains private messages. Do not hand out to visitors."),
    )


def facts(record: Record) -> list[tuple[str, str]]:
    known = record.verified
    by = f" ({_('Verified by %(site)s') % {'site': known.site}})" if known else ""
    ended = finding.ENDINGS.get(record.ended_how, finding.ENDINGS["unanswered"])()
    said = [
        (_("Visitor"), (record.visitor or _("No name given")) + (by if known and known.name else "")),
        (_("E-mail"), record.email + (by if known and known.email and record.email else "")),
        *([(_("Known as"), known.sub + by)] if known else []),
        *((label, value + by) for label, value in (known.variables if known else {}).items()),
        (_("Queue"), record.queue),
        (_("Subject"), record.subject),
        (_("Language"), layouts.language_name(record.language)),
        (_("Page"), record.page),
        (_("Case number"), record.case_number),
        (_("Started"), transcripts.moment(record.started_at)),
        (_("Waited"), record.waited),
        (_("Lasted"), record.lasted),
        (_("Staff"), ", ".join(record.agents)),
        (_("Ended"), f"{ended} · {transcripts.moment(record.ended_at)}" if record.ended_at else ""),
        (_("Time zone"), str(layouts.zone)),
    ]
    return [(name, transcripts.one_line(words)) for name, words in said if words]


def entries(record: Record) -> list[Entry]:
    found, day = [], ""
    for item in record.items:
        if (today := layouts.day(item.at)) != day:
            day = today
            found.append(Entry("day", day))
        found.append(entry(item))
    return found


def entry(item: Item) -> Entry:
    time, name = layouts.clock_time(item.at), transcripts.one_line(item.name)
    words = item.words
    if item.withdrawn_at:
        note = _("[Message withdrawn at %(time)s]") % {"time": layouts.clock_time(item.withdrawn_at)}
        words = f"{note}\n{words}"
    if item.is_private:
        return Entry("private", words, time, f"{name} ({_('private')})")
    if item.author == "desk":
        return Entry("event", " ".join(f"{words} {item.data.get('note', '')}".split()), time)
    if item.kind == "rated" and item.data["remark"]:
        words = f"{words}\n{item.data['remark']}"
    return Entry("said", words, time, name or _("Visitor"))


FORMATS: dict[str, Callable[[Sequence[int]], Awaitable[bytes]]] = {"jsonl": as_lines, "pdf": as_pdf}
