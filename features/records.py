"""Records: one conversation as the organisation keeps it: all that was said and done in it, in order.

Public and private messages, originals of what was withdrawn, files, offers and choices, whom routing asked
and what came of it, invitations, the question to a silent visitor, the rating. `log` shows, prints and
exports it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import db
import layouts
from features import files, identity, masks, messages, numbers, telling, widget
from features.identity import Verified
from features.links import linked
from features.messages import Line
from features.private import Note
from features.telling import Told
from layouts import _

Row = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One thing that happened. Drawn as its line or note, or told in `words`."""

    at: datetime
    kind: str  # of a message; or private, asked, answered, invited, invite_closed, idle, rated
    author: str  # visitor, agent, desk
    name: str
    words: str
    line: Line | None = None
    note: Note | None = None
    withdrawn_at: datetime | None = None
    files: tuple[Row, ...] = ()
    data: Row = field(default_factory=dict)

    @property
    def is_private(self) -> bool:
        return self.kind == "private"


@dataclass(frozen=True)
class Record:
    id: int
    state: str
    visitor: str
    email: str
    verified: Verified | None
    queue: str
    subject: str
    subject_language: str
    language: str
    page: str
    case_number: str
    started_at: datetime
    joined_at: datetime | None
    ended_at: datetime | None
    ended_how: str
    asked_at: datetime
    agents: tuple[str, ...]
    rating: int | None
    remark: str
    items: tuple[Item, ...]

    @property
    def waited(self) -> str:
        until = self.joined_at or self.ended_at
        return span(self.asked_at, until) if until else ""

    @property
    def lasted(self) -> str:
        return span(self.joined_at, self.ended_at) if self.joined_at and self.ended_at else ""


def span(since: datetime, until: datetime) -> str:
    seconds = max(0, round((until - since).total_seconds()))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


# ---- reading ---------------------------------------------------------------------------------------------


async def load(chats: Sequence[int]) -> list[Record]:
    """In the order asked for; those that have never been started are not there."""
    if not chats:
        return []
    heads = {row["id"]: row for row in await about(HEADS, chats)}
    verified = await identity.of_chats(list(heads))
    seats = grouped(await about(SEATS, chats))
    found = {kind: grouped(await about(query, chats)) for kind, query in PARTS.items()}
    return [
        record(
            heads[chat],
            verified.get(chat),
            seats.get(chat, []),
            {kind: rows.get(chat, []) for kind, rows in found.items()},
        )
        for chat in chats
        if chat in heads
    ]


async def about(query: str, chats: Sequence[int]) -> list[Row]:
    return await db.sql(query.replace("{chats}", ", ".join(str(int(chat)) for chat in chats)))


def grouped(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["chat"], []).append(row)
    return found


HEADS = (
    "SELECT chat.id, chat.state, chat.visitor_name, chat.visitor_email, chat.language, chat.page_url,"
    " chat.case_number, chat.ticket_at, chat.started_at, chat.ended_at, chat.ended_how, chat.begun,"
    " queue.name AS queue, subject.label, rating.value AS rating, rating.remark, rating.rated_at"
    " FROM chat JOIN queue ON queue.id = chat.queue LEFT JOIN subject ON subject.id = chat.subject"
    " LEFT JOIN rating ON rating.chat = chat.id"
    " WHERE chat.id IN ({chats}) AND chat.started_at IS NOT NULL"
)
SEATS = (
    "SELECT participation.chat, participation.joined_at, agent.name FROM participation"
    " JOIN agent ON agent.id = participation.agent WHERE chat IN ({chats}) ORDER BY participation.id"
)
PARTS = {
    "public": "SELECT message.chat, message.key, message.seq, message.kind, message.author, message.agent,"
    " message.name, message.body, message.data, message.sent_at, message.withdrawn_at, message.numbers,"
    " chat.language FROM message JOIN chat ON chat.id = message.chat WHERE message.chat IN ({chats})"
    " ORDER BY message.chat, message.seq",
    "private": "SELECT chat, key, seq, after_seq, agent, name, body, sent_at FROM private_message"
    " WHERE chat IN ({chats}) ORDER BY chat, seq",
    "files": "SELECT * FROM private_attachment WHERE chat IN ({chats}) AND seq IS NOT NULL ORDER BY id",
    "asked": "SELECT reservation.chat, reservation.opened_at, reservation.closed_at, reservation.outcome,"
    " reservation.kind, agent.name, queue.name AS queue FROM reservation"
    " JOIN agent ON agent.id = reservation.agent JOIN queue ON queue.id = reservation.queue"
    " WHERE chat IN ({chats}) ORDER BY reservation.id",
    "invites": "SELECT invite.chat, invite.opened_at, invite.closed_at, invite.outcome, invite.reason,"
    " invite.note, inviter.name, agent.name AS to_agent, queue.name AS to_queue FROM invite"
    " JOIN agent AS inviter ON inviter.id = invite.inviter LEFT JOIN agent ON agent.id = invite.agent"
    " LEFT JOIN queue ON queue.id = invite.queue WHERE chat IN ({chats}) ORDER BY invite.id",
    "idle": "SELECT chat, what, happened_at FROM step WHERE chat IN ({chats})"
    " AND what IN ('idle_asked', 'idle_answered') ORDER BY id",
}


def record(head: Row, verified: Verified | None, seats: list[Row], parts: dict[str, list[Row]]) -> Record:
    subject, subject_language = widget.subject_of(json.loads(head["label"] or "{}"))
    return Record(
        id=head["id"],
        state=head["state"],
        visitor=head["visitor_name"],
        email=head["visitor_email"],
        verified=verified,
        queue=head["queue"],
        subject=subject,
        subject_language=subject_language,
        language=head["language"],
        page=head["page_url"],
        case_number=head["case_number"],
        started_at=head["started_at"],
        joined_at=seats[0]["joined_at"] if seats else None,
        ended_at=head["ended_at"],
        ended_how=head["ended_how"] if head["begun"] else "unanswered",
        asked_at=head["ticket_at"],
        agents=tuple(dict.fromkeys(row["name"] for row in seats)),
        rating=head["rating"],
        remark=without_numbers(head["remark"] or ""),
        items=tuple(in_order(head, parts)),
    )


# ---- in order --------------------------------------------------------------------------------------------


def in_order(head: Row, parts: dict[str, list[Row]]) -> list[Item]:
    """By time; public messages also by their number, and what routing did before what it led to."""
    said = {row["body"] for row in parts["private"]}
    items = [*invited(parts["invites"], said), *asked(parts["asked"]), *idle(parts["idle"])]
    items += [*public(parts["public"]), *notes(parts["private"], parts["files"]), *rated(head)]
    return sorted(items, key=lambda item: item.at)


def public(rows: list[Row]) -> Iterable[Item]:
    latest: datetime | None = None
    for line, row in zip(messages.lines(rows), rows, strict=True):
        latest = max(latest or row["sent_at"], row["sent_at"])
        alone = replace(line, grouped=False, new_day=False)
        body = masks.told(row)
        told = Told(row["kind"], row["author"], row["name"], body, line.data, row["sent_at"], None)
        words = telling.in_words(told, "agent")
        sent = tuple(line.data.get("files", ())) if line.kind == "files" else ()
        yield Item(
            latest,
            line.kind,
            line.author,
            row["name"],
            words,
            alone,
            None,
            row["withdrawn_at"],
            sent,
            line.data,
        )


def notes(rows: list[Row], added: list[Row]) -> Iterable[Item]:
    for row in rows:
        sent = files.facts([each for each in added if each["seq"] == row["seq"]])
        note = Note(
            *(row["key"], row["seq"], row["after_seq"], row["agent"], row["name"]),
            *(linked(row["body"]), row["sent_at"], row["chat"], sent),
        )
        words = "\n".join([row["body"], *(named(each) for each in sent)]).strip()
        yield Item(row["sent_at"], "private", "agent", row["name"], words, note=note, files=tuple(sent))


def named(file: Row) -> str:
    size = layouts.file_size(file["size"])
    return _("Attachment: %(name)s, %(size)s") % {"name": file["name"], "size": size}


def asked(rows: list[Row]) -> Iterable[Item]:
    for row in rows:
        words = _("%(name)s was asked (queue %(queue)s)") % row
        data = {"queue": row["queue"], "kind": row["kind"]}
        yield Item(row["opened_at"], "asked", "desk", row["name"], words, data=data)
        if row["closed_at"] and (said := answer(row["outcome"], row["name"])):
            data = data | {"outcome": row["outcome"]}
            yield Item(row["closed_at"], "answered", "desk", row["name"], said, data=data)


def answer(outcome: str, name: str) -> str:
    """ "" where something else tells it."""
    match outcome:
        case "accepted":
            words = _("%(name)s accepted")
        case "rejected":
            words = _("%(name)s declined")
        case "passed_on":
            words = _("%(name)s passed it on")
        case "no_answer":
            words = _("%(name)s did not answer in time")
        case "gone":
            words = _("%(name)s was no longer there")
        case "visitor_left":
            words = _("The visitor left before %(name)s answered")
        case "withdrawn":
            words = _("The request to %(name)s was withdrawn")
        case _:
            return ""
    return words % {"name": name}


def invited(rows: list[Row], said: set[str]) -> Iterable[Item]:
    """`said`: privately; a note that was stands there already."""
    for row in rows:
        to = row["to_agent"] or _("somebody of the queue %(queue)s") % {"queue": row["to_queue"]}
        words = _("%(name)s invited %(to)s") % {"name": row["name"], "to": to}
        data = {"to": to, "note": "" if row["note"] in said else row["note"]}
        yield Item(row["opened_at"], "invited", "desk", row["name"], words, data=data)
        if row["closed_at"] and row["outcome"] != "accepted":
            data = {"to": to, "outcome": row["outcome"], "reason": row["reason"]}
            words = not_taken(row["outcome"], row["reason"]) % {"to": to}
            yield Item(row["closed_at"], "invite_closed", "desk", row["name"], words, data=data)


def not_taken(outcome: str, reason: str) -> str:
    match reason or outcome:
        case "rejected" | "refused":
            return _("The invitation to %(to)s was declined")
        case "withdrawn":
            return _("The invitation to %(to)s was withdrawn")
        case "ended":
            return _("The invitation to %(to)s ended with the conversation")
        case "gone":
            return _("The invitation to %(to)s ended: no longer there")
        case "nobody_free" | "nobody_left":
            return _("The invitation to %(to)s ended: nobody was free")
    return _("The invitation to %(to)s was not answered in time")


def idle(rows: list[Row]) -> Iterable[Item]:
    for row in rows:
        words = _("The visitor was asked “Are you still there?”")
        if row["what"] == "idle_answered":
            words = _("The visitor was still there")
        yield Item(row["happened_at"], row["what"], "desk", "", words)


def rated(head: Row) -> Iterable[Item]:
    if head["rating"]:
        said = rating_words(head["rating"])
        words = _("The visitor rated the conversation: %(rating)s") % {"rating": said}
        data = {"value": head["rating"], "remark": without_numbers(head["remark"] or "")}
        yield Item(head["rated_at"], "rated", "visitor", head["visitor_name"], words, data=data)


def without_numbers(remark: str) -> str:
    """Of the visitor. So rare, and so short, that they are looked for each time."""
    return numbers.hidden(remark, numbers.spans_of(None, remark))


def rating_words(value: int) -> str:
    words = (_("Very dissatisfied"), _("Dissatisfied"), _("Neutral"), _("Satisfied"), _("Very satisfied"))
    return f"{words[value - 1]} ({value}/5)"
