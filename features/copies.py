"""Copies: the conversation by e-mail, after its end, for a visitor who asks for it. One address per chat.

    POST /chat/transcript/mail

Offered only where mail can be sent.
"""

import re
from email.message import EmailMessage
from typing import Any

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException
from msgspec import Struct

import layouts
from db.tables import Chat
from features import desk, mail, transcripts
from features.access import address_of, visitor, visitor_of
from layouts import Form, _, html, speaking, swap, template

KIND = "transcript"
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
ADDRESS_LENGTH = 254


class Wish(Struct):
    address: str = ""


@post("/chat/transcript/mail", guards=[visitor], status_code=200)
async def ask(request: Request[Any, Any, Any], data: Form[Wish]) -> Response[str]:
    chat = await transcripts.own_chat(visitor_of(request))
    if not can_be_mailed(chat):
        raise NotFoundException
    address = data.address.strip()
    if not is_address(address):
        errors = {"address": _("Enter an e-mail address such as name@example.be.")}
        return html(swap("#copy", ui.form(data.address, errors)), status_code=422)
    try:
        first = await mail.ask(KIND, chat["id"], address, address_of(request), chat["language"])
    except mail.TooMany:
        errors = {
            "address": _(
                "Too many e-mails were asked for. Try again in an hour, or download the conversation."
            )
        }
        return html(swap("#copy", ui.form(data.address, errors)), status_code=429)
    return html(
        swap("#copy", ui.asked(address) if first else ui.known(await mail.state_of(KIND, chat["id"])))
    )


def can_be_mailed(chat: dict[str, Any]) -> bool:
    return mail.is_on() and chat["state"] == "ended"


def is_address(text: str) -> bool:
    """One address and nothing else: no second one, no line of its own, no name."""
    local = text.partition("@")[0]
    tidy = not (local.startswith(".") or local.endswith(".") or ".." in text)
    return tidy and len(text) <= ADDRESS_LENGTH and bool(ADDRESS.fullmatch(text))


async def state_of(chat: int) -> str:
    """off, offered, asked, sent, failed."""
    return (await mail.state_of(KIND, chat) or "offered") if mail.is_on() else "off"


@mail.written_by(KIND)
async def write(row: dict[str, Any]) -> EmailMessage | None:
    chat = await Chat.select().where(Chat.id == row["chat"]).first()
    if chat is None or transcripts.is_past(chat):
        return None
    transcript = await transcripts.written(chat)
    with speaking(row["language"]):
        whose = {"desk": transcripts.one_line(desk.facts.name), "day": layouts.day(chat["started_at"])}
        letter = EmailMessage()
        letter["Subject"] = _("Your conversation with %(desk)s on %(day)s") % whose
        asked = _(
            "You asked for a copy of your conversation with %(desk)s. It is attached, as a PDF and as plain text."  # noqa: E501
        )
        mistaken = _(
            "Was it not you who asked for it? Then somebody has entered your address by mistake; you need not do anything."  # noqa: E501
        )
        letter.set_content(f"{asked % whose}\n\n{mistaken}\n")
    name, text = transcript.file_name, transcripts.as_text(transcript).encode()
    pdf = await transcripts.as_pdf(transcript)
    letter.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"{name}.pdf")
    letter.add_attachment(
        text, maintype="text", subtype="plain", filename=f"{name}.txt", params={"charset": "utf-8"}
    )
    return letter


routes = [ask]

ui = template("""
{% from "components.html" import button, field, notice %}

{% macro region(state, address) %}
{% if state == "offered" %}{{ form(address, {}) }}
{% elif state != "off" %}{{ known(state) }}{% endif %}
{% endmacro %}

{% macro form(address, errors) %}
<form id="copy" class="after-part" hx-post="/chat/transcript/mail" hx-swap="none" novalidate aria-labelledby="copy-title">
  <h3 class="legend" id="copy-title">{{ _("Receive the conversation by e-mail") }}</h3>
  {{ field(_("E-mail address"), "address", address, errors, type="email", autocomplete="email", id="copy-address") }}
  {{ button(_("Send by e-mail"), icon="mail", type="submit") }}
</form>
{% endmacro %}

{% macro asked(address) %}{{ said("success", _("The conversation will be sent to %(address)s.", address=address)) }}{% endmacro %}

{% macro known(state) %}
{% if state == "sent" %}{{ said("success", _("The conversation has been sent by e-mail.")) }}
{% elif state == "failed" %}{{ said("warning", _("The conversation could not be sent by e-mail. Download it instead.")) }}
{% else %}{{ said("info", _("The conversation will be sent by e-mail.")) }}{% endif %}
{% endmacro %}

{% macro said(kind, words) %}
<div id="copy" class="after-part" role="status" tabindex="-1">{{ notice(kind, words) }}</div>
{% endmacro %}
""")  # noqa: E501
