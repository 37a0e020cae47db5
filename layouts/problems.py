"""What a person reads when something cannot be done: a page, or a notice on the page that asked. Never a
trace."""

from collections.abc import Callable
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from markupsafe import Markup

from db.away import is_away
from db.logs import kind
from layouts import Template, _, html, inline, swap

AGAIN_S = 5

log = structlog.get_logger(__name__)

door: Callable[[str], Markup] | None = (
    None  # the page to sign in on, for who may then see the one at this path
)


def answer(request: Request[Any, Any, Any], fault: Exception) -> Response[str]:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    if status == 500 and is_away(fault):
        return not_now(request, fault)
    if isinstance(fault, InternalServerException) and fault.detail == "client disconnected prematurely":
        log.info("page left in the middle of a request", route=request.scope.get("path_template"))
    elif status >= 500:
        log.error("failed", route=request.scope.get("path_template"), exc_info=fault)
    stale = isinstance(fault, HTTPException) and fault.detail == "csrf"
    by_visitor = "x-widget" in request.headers
    title, words = words_for(400 if stale or (status == 401 and by_visitor) else status)
    if request.headers.get("hx-request") != "true":
        if status == 401 and door and not by_visitor and request.method == "GET":
            return html(door(request.url.path), status_code=status)
    elif stale or (status == 401 and not by_visitor):
        return html(swap("#sign-in-again", ui.session_over(), "outerHTML"), status_code=status)
    return said(request, status, title, words)


def not_now(request: Request[Any, Any, Any], fault: Exception) -> Response[str]:
    """There is no room, or no database. Pages go on trying: one line each time is enough."""
    log.error("cannot be done now", route=request.scope.get("path_template"), problem=kind(fault))
    words = _("This page cannot be shown now. Try again in a moment.")
    if request.method != "GET":
        words = _("Nothing can be sent or saved now. Try again in a moment; what you typed has been kept.")
    answer = said(request, 503, _("Not possible at the moment"), words)
    answer.headers["retry-after"] = str(AGAIN_S)
    return answer


def said(request: Request[Any, Any, Any], status: int, title: str, words: str) -> Response[str]:
    if request.headers.get("hx-request") != "true":
        return html(ui.page(status, title, words), status_code=status)
    return html(swap("#notices", ui.notice(title, words), "beforeend"), status_code=status)


def words_for(status: int) -> tuple[str, str]:
    match status:
        case 401:
            return _("Please sign in"), _("Your session is over or you have not signed in.")
        case 403:
            return _("Not allowed"), _("Your account does not give access to this. Ask your administrator.")
        case 404 | 405:
            return _("Not found"), _("This page does not exist, or no longer does.")
        case 413:
            return _("Too large"), _("What you sent is too large.")
        case 429:
            return _("One moment please"), _(
                "That was too often in a short time. Wait a moment and try again."
            )
        case 400 | 422:
            return _("Not understood"), _("What was sent could not be read. Reload the page and try again.")
        case _:
            return _("Something went wrong"), _("That is our fault. Try again; what you typed has been kept.")


inline["problems"] = (
    """
{% from "base.html" import plain %}
{% from "components.html" import icon, notice as notice_ %}

{% macro page(status, title, words) %}
{% call plain(title) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<p class="error-code">{{ status }}</p>
<h1 class="title">{{ title }}</h1>
<p>{{ words }}</p>
{% endcall %}
{% endmacro %}

{% macro notice(title, words) %}
{{ notice_("error", title ~ ". " ~ words, attrs={"role": "alert", "data-fades": true}) }}
{% endmacro %}

{% macro session_over() %}
<div id="sign-in-again" hidden data-needed></div>
{% endmacro %}
""",
    __file__,
)
ui = Template("problems")
