"""Idle: whoever has not been heard of for ten minutes after an agent's last message is asked "are you still
there?", and without an answer the conversation ends. Not where somebody is in danger.

    POST /chat/here    "yes, I am still here"

Never while the last word is the visitor's, nor while a line is down or we were: then the time starts anew.
Typing, pressing and writing are signs too. The deadlines are columns of the chat: `silent_since_at` is set by
an agent's message and taken away by a visitor's (messages), `idle_asked_at` is the open question.
"""

from datetime import timedelta
from functools import partial
from typing import Any

import db
from db.clock import now
from db.tables import Chat, Step
from features import live, rounds, routing
from layouts import template

LOOK_S = 2
ANSWER_S = 130  # two minutes, and what it takes to arrive and be read out
LATELY_S = 5  # a silence shorter than this is not worth a look, nor a write

SILENT = (
    "SELECT chat.id, chat.state, chat.silent_since_at, chat.idle_asked_at, chat.visitor_gone_at,"
    " queue.idle_minutes, EXISTS (SELECT 1 FROM participation JOIN readiness"
    " ON readiness.agent = participation.agent WHERE participation.chat = chat.id"
    " AND participation.left_at IS NULL AND readiness.gone_at IS NULL) AS attended"
    " FROM chat JOIN queue ON queue.id = chat.queue"
    " WHERE chat.silent_since_at <= {} AND chat.state IN ('waiting', 'active')"
    " AND NOT EXISTS"
    " (SELECT 1 FROM emergency WHERE emergency.chat = chat.id AND emergency.ended_at IS NULL)"
)


async def sign(chat: int) -> None:
    """The visitor has shown to be there."""
    moment = now()
    worth_a_write = (Chat.silent_since_at < moment - timedelta(seconds=30)) | Chat.idle_asked_at.is_not_null()
    heard = Chat.update({Chat.silent_since_at: moment, Chat.idle_asked_at: None}).where(Chat.id == chat)
    if await heard.where(Chat.silent_since_at.is_not_null()).where(worth_a_write).returning(Chat.id):
        live.publish(f"chat:{chat}", routing.ChatChanged(chat))


async def answer(chat: int) -> None:
    """The visitor was asked, and says to be there."""
    if await Chat.exists().where(Chat.id == chat).where(Chat.idle_asked_at.is_not_null()):
        await note(chat, "idle_answered")
    await sign(chat)


async def look() -> None:
    if not any(map(what_is_due, await silent())):
        return
    async with db.transaction():
        await db.lock(routing.LOCK)
        for row in await silent():
            if due := what_is_due(row):
                await {"anew": start_anew, "ask": ask, "end": end}[due](row)


async def silent() -> list[dict[str, Any]]:
    return await db.sql(SILENT, now() - timedelta(seconds=LATELY_S))


def what_is_due(row: dict[str, Any]) -> str:
    """ "anew": something kept the visitor from answering, or us from hearing it."""
    asked_at, minutes = row["idle_asked_at"], row["idle_minutes"]
    disturbed = row["state"] != "active" or row["visitor_gone_at"] or not row["attended"]
    if disturbed or not minutes:
        return "anew"
    if asked_at:
        return "end" if now() - asked_at >= timedelta(seconds=ANSWER_S) else ""
    return "ask" if now() - row["silent_since_at"] >= timedelta(minutes=minutes) else ""


async def start_anew(row: dict[str, Any]) -> None:
    changed = Chat.update({Chat.silent_since_at: now(), Chat.idle_asked_at: None})
    await still(changed, row)
    if row["idle_asked_at"]:
        tell(row["id"])


async def ask(row: dict[str, Any]) -> None:
    if await still(Chat.update({Chat.idle_asked_at: now()}), row):
        await note(row["id"], "idle_asked")
        tell(row["id"])


async def note(chat: int, what: str) -> None:
    """For the log: nothing else remembers it."""
    await Step.insert(Step(chat=chat, what=what, happened_at=now()))


async def end(row: dict[str, Any]) -> None:
    if await still(Chat.update({Chat.silent_since_at: None}), row):
        await routing.end_idle(row["id"])


async def still(update: Any, row: dict[str, Any]) -> bool:
    """Only if nobody has said anything since it was looked at."""
    same = update.where(Chat.id == row["id"]).where(Chat.silent_since_at == row["silent_since_at"])
    asked = Chat.idle_asked_at
    same = same.where(asked == row["idle_asked_at"] if row["idle_asked_at"] else asked.is_null())
    return bool(await same.returning(Chat.id))


def tell(chat: int) -> None:
    db.after_commit(partial(live.publish, f"chat:{chat}", routing.ChatChanged(chat)))


async def restart() -> None:
    """We were down: nobody could answer."""
    if not db.is_alone():
        return
    anew = Chat.update({Chat.silent_since_at: now(), Chat.idle_asked_at: None})
    await anew.where(Chat.silent_since_at.is_not_null()).where(Chat.state.is_in(["waiting", "active"]))


starts = [restart]
tasks = [rounds.every(LOOK_S, look)]

ui = template("""
{% from "components.html" import button, icon %}

{# Announced when it comes; the focus stays where it is. #}
{% macro question(asked) %}
<div id="idle" role="alert"{% if asked %} class="notice warning"{% endif %}>
  {% if asked %}
  {{ icon("clock") }}
  <div class="notice-body">
    <p class="lead">{{ _("Are you still there?") }}</p>
    <p>{{ _("Without an answer within two minutes, the conversation ends because of inactivity.") }}</p>
    <div class="actions">{{ button(_("Yes, I am still here"), "primary", attrs={"data-act": "here"}) }}</div>
  </div>
  {% endif %}
</div>
{% endmacro %}
""")
