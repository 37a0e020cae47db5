"""Mail: letters wait in the database until the mail server has taken them.

A feature registers who writes a kind of letter, and asks for one; it is written when it is sent. A server
that is down is tried again, ever more rarely; nobody waits for it. Without BALIE_SMTP_URL there is no mail.
No URLs.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from piccolo.columns import Column

import db
from db.clock import now
from db.settings import settings
from db.tables import Mail
from features import desk, rounds

LOOK_S = 5
TIMEOUT_S = 20
TAKEN_S = 300  # a letter that a process has taken and not reported on is sent by another
RETRY_MINUTES = (1, 5, 15, 60, 180, 360, 720)  # then it is given up
PER_ASKER, PER_ADDRESS = 5, 5  # letters asked for from one place in an hour, for one address in a day

log = structlog.get_logger(__name__)

Write = Callable[[dict[str, Any]], Awaitable[EmailMessage | None]]
writers: dict[str, Write] = {}


class TooMany(Exception):
    """Asked for too often, from one place or for one address."""


def written_by(kind: str) -> Callable[[Write], Write]:
    """Let the decorated function write letters of this kind, from the row; None: it is no longer wanted."""

    def register(write: Write) -> Write:
        writers[kind] = write
        return write

    return register


def is_on() -> bool:
    return bool(settings.smtp_url)


async def ask(kind: str, chat: int, address: str, asked_by: str, language: str) -> bool:
    """Put a letter in the queue. False: there was one of this kind for this chat already."""
    async with db.transaction():
        await db.lock("mail")
        if await Mail.exists().where(Mail.kind == kind).where(Mail.chat == chat):
            return False
        who, whose = desk.keyed("mail from", asked_by), desk.keyed("mail to", address.lower())
        await refuse_too_many(who, whose)
        letter = Mail(kind=kind, chat=chat, address=address, address_hash=whose, asked_by_hash=who)
        letter.language, letter.asked_at, letter.next_attempt_at = language, now(), now()
        await Mail.insert(letter)
    return True


async def post(kind: str, agent: int, address: str, language: str) -> None:
    """Put a letter about a person of the desk in the queue, which an admin has asked for."""
    whose = desk.keyed("mail to", address.lower())
    letter = Mail(kind=kind, agent=agent, address=address, address_hash=whose)
    letter.language, letter.asked_at, letter.next_attempt_at = language, now(), now()
    await Mail.insert(letter)


async def refuse_too_many(who: str, whose: str) -> None:
    from_one = Mail.count().where(Mail.asked_by_hash == who)
    to_one = Mail.count().where(Mail.address_hash == whose)
    hour, day = now() - timedelta(hours=1), now() - timedelta(days=1)
    if (
        await from_one.where(Mail.asked_at > hour) >= PER_ASKER
        or await to_one.where(Mail.asked_at > day) >= PER_ADDRESS
    ):
        raise TooMany


async def state_of(kind: str, chat: int) -> str:
    """asked, sent, failed; "" if there is none."""
    columns = Mail.sent_at, Mail.next_attempt_at
    row = await Mail.select(*columns).where(Mail.kind == kind).where(Mail.chat == chat).first()
    if row is None:
        return ""
    return "sent" if row["sent_at"] else "asked" if row["next_attempt_at"] else "failed"


# ---- sending ---------------------------------------------------------------------------------------------


async def send_due() -> None:
    if not is_on():
        return
    due = await Mail.select().where(Mail.next_attempt_at <= now()).order_by(Mail.next_attempt_at).limit(20)
    for row in due:
        if await take(row):
            await send(row)


async def take(row: dict[str, Any]) -> bool:
    """So that no other process sends it as well."""
    taken: dict[Column | str, Any] = {
        Mail.next_attempt_at: now() + timedelta(seconds=TAKEN_S),
        Mail.attempts: row["attempts"] + 1,
    }
    mine = Mail.update(taken).where(Mail.id == row["id"]).where(Mail.attempts == row["attempts"])
    return bool(await mine.where(Mail.next_attempt_at.is_not_null()).returning(Mail.id))


async def send(row: dict[str, Any]) -> None:
    try:
        letter = await writers[row["kind"]](row)
        if letter is None:
            return await close(row, problem="no longer wanted")
        await asyncio.to_thread(deliver, addressed(letter, row), row["address"])
    except Exception as error:
        await put_off(row, error)
    else:
        await close(row)


async def close(row: dict[str, Any], problem: str = "") -> None:
    """It is over, one way or the other: the address has served."""
    over: dict[Column | str, Any] = {Mail.next_attempt_at: None, Mail.address: "", Mail.problem: problem}
    if not problem:
        over[Mail.sent_at] = now()
    await Mail.update(over).where(Mail.id == row["id"])


async def put_off(row: dict[str, Any], error: Exception) -> None:
    """Without the words of the error: they may hold the address."""
    code = getattr(error, "smtp_code", "")
    problem = f"{type(error).__name__} {code}".strip()
    log.warning("a letter was not sent", letter=row["id"], attempt=row["attempts"] + 1, problem=problem)
    if row["attempts"] >= len(RETRY_MINUTES) or is_final(error):
        return await close(row, problem)
    later = now() + timedelta(minutes=RETRY_MINUTES[row["attempts"]])
    await Mail.update({Mail.next_attempt_at: later, Mail.problem: problem}).where(Mail.id == row["id"])


def is_final(error: Exception) -> bool:
    """The server will never take it for this address."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _words in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def addressed(letter: EmailMessage, row: dict[str, Any]) -> EmailMessage:
    host = urlsplit(settings.url).hostname or "localhost"
    letter["From"] = Address(
        " ".join(desk.facts.name.split()), addr_spec=settings.mail_from or f"balie@{host}"
    )
    letter["To"] = Address(addr_spec=row["address"])
    letter["Date"] = format_datetime(now())
    letter["Message-ID"] = (
        f"<{row['kind']}-{row['id']}-{row['address_hash'][:16]}@{host}>"  # the same if sent twice
    )
    letter["Auto-Submitted"] = "auto-generated"
    letter["Content-Language"] = row["language"]
    return letter


def deliver(letter: EmailMessage, address: str) -> None:
    """In a thread: a mail server may take its time."""
    server = urlsplit(settings.smtp_url)
    host, encrypted = server.hostname or "localhost", server.scheme == "smtps"
    port = server.port or (465 if encrypted else 25)
    context = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
        if encrypted
        else smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    ) as line:
        if parse_qs(server.query).get("starttls") == ["1"]:
            line.starttls(context=context)
        if server.username:
            line.login(unquote(server.username), unquote(server.password or ""))
        line.send_message(letter, to_addrs=[address])


tasks = [rounds.every(LOOK_S, send_due)]
