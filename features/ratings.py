"""Ratings: what the visitor thought of the conversation: five named choices and a remark, once, after its
end.

POST /chat/rating
"""

from typing import Any

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException
from msgspec import Struct

import db
import layouts
from db.clock import now
from db.tables import Chat, Rating
from features import numbers, transcripts
from features.access import visitor, visitor_of
from layouts import Form, _, html, swap, template

VALUES = range(1, 6)
REMARK_LENGTH = 1000  # characters


class Opinion(Struct):
    value: str = ""
    remark: str = ""
    sure: str = ""  # kinds of numbers in it that the visitor was warned of, and sends anyway


@post("/chat/rating", guards=[visitor], status_code=200)
async def rate(request: Request[Any, Any, Any], data: Form[Opinion]) -> Response[str]:
    chat = await transcripts.own_chat(visitor_of(request))
    if not can_be_rated(chat):
        raise NotFoundException
    if errors := problems_with(data):
        return html(swap("#rating", ui.form(data, errors)), status_code=422)
    if kinds := numbers.to_warn_of(data.remark.strip(), data.sure):
        return html(swap("#rating", ui.form(data, {}, kinds)), status_code=422)
    try:
        async with db.transaction():
            await Rating.insert(
                Rating(chat=chat["id"], value=int(data.value), remark=data.remark.strip(), rated_at=now())
            )
            await Chat.update({Chat.log_seq: Chat.log_seq - 1}).where(Chat.id == chat["id"])
    except db.UniqueViolation:
        return html(swap("#rating", ui.thanks(_("You have already given your opinion. Thank you."))))
    return html(swap("#rating", ui.thanks(_("Thank you for your opinion."))))


def can_be_rated(chat: dict[str, Any]) -> bool:
    """A conversation, and not only a wait; nor by whom has been shut out."""
    return bool(chat["state"] == "ended" and chat["begun"] and chat["ended_how"] != "behaviour")


def problems_with(opinion: Opinion) -> dict[str, str]:
    errors = {}
    if opinion.value not in map(str, VALUES):
        errors["value"] = _("Choose one of the five answers.")
    if len(opinion.remark.strip()) > REMARK_LENGTH:
        errors["remark"] = _("Your remark is %(n)s characters long; at most %(limit)s fit.") % {
            "n": layouts.number(len(opinion.remark.strip())),
            "limit": layouts.number(REMARK_LENGTH),
        }
    return errors


async def is_rated(chat: int) -> bool:
    return await Rating.exists().where(Rating.chat == chat)


routes = [rate]

ui = template("""
{% from "components.html" import button, choice_field, notice, textarea_field %}
{% import "numbers" as numbers %}

{% macro form(opinion, errors, kinds=()) %}
<form id="rating" class="after-part rating" hx-post="/chat/rating" hx-swap="none" novalidate>
  {{ choice_field(_("How satisfied are you with this conversation?"), "value", [
    (1, _("Very dissatisfied"), ""), (2, _("Dissatisfied"), ""), (3, _("Neutral"), ""), (4, _("Satisfied"), ""), (5, _("Very satisfied"), ""),
  ], opinion.value, errors, id="rating-value") }}
  {{ textarea_field(_("Remark"), "remark", opinion.remark, errors, required=false, id="rating-remark") }}
  {{ button(_("Give your opinion"), type="submit") }}
  <div role="alert">{% if kinds %}{{ numbers.warning(kinds, "rating") }}{% endif %}</div>
</form>
{% endmacro %}

{% macro blank() %}{{ form({"value": "", "remark": ""}, {}) }}{% endmacro %}

{% macro thanks(words) %}
<div id="rating" class="after-part" role="status" tabindex="-1">{{ notice("success", words) }}</div>
{% endmacro %}
""")  # noqa: E501
