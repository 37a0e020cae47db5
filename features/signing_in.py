"""Signing in: with a name and a password, at the door or under a page whose session has run out.

POST /session             in, or in again in place; a feature may ask for more (`second_steps`)
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, post
from markupsafe import Markup
from msgspec import Struct

from features import desk, hashes, tries, ways_in
from features.access import address_of, cookie, open_session, person_of_session, public, refuse_other_sites
from layouts import Form, _, html, problems, swap, template

OWN_PAGE = re.compile(r"/(console|settings)(/[a-z0-9-]+)*")


class SignIn(Struct):
    username: str = ""
    password: str = ""
    again_as: str = ""  # the page that a session has run out under belongs to this person
    to: str = ""  # the page that was asked for


@dataclass(frozen=True)
class Entrance:
    """Somebody has given the right password. `again_as` and `to` are as the form sent them."""

    agent: int
    username: str
    again_as: str
    to: str


# Each may answer with a form that stands between the password and the desk.
SecondStep = Callable[[Entrance], Awaitable[Markup | None]]
second_steps: list[SecondStep] = []


@post("/session", guards=[public], status_code=200)
async def sign_in(request: Request[Any, Any, Any], data: Form[SignIn]) -> Response[str]:
    refuse_other_sites(request)
    username = data.username.strip().lower()
    address = address_of(request)
    async with hashes.threads.turn():
        wait, tried = await tries.count(username, address)
        agent = None if wait else await hashes.agent_with(username, data.password)
    if wait:
        return html(
            ui.sign_in_form(username, data.again_as, {"password": tries.too_often(wait)}, data.to),
            status_code=429,
        )
    if agent is None or not await ways_in.password_works(agent["id"]):
        words = wrong_password()
        return html(ui.sign_in_form(username, data.again_as, {"password": words}, data.to), status_code=422)
    await tries.forget(tried)
    entrance = Entrance(agent["id"], username, data.again_as, data.to)
    for step in second_steps:
        if form := await step(entrance):
            return html(form)
    return await admit(request, entrance)


def wrong_password() -> str:
    """The same for a password that is wrong and for one that does not count here any more."""
    if ways_in.only():
        words = _("This does not let you in. Here, passwords no longer work: sign in with %(name)s.")
        return words % {"name": ways_in.provider()}
    return _("The user name or the password is not right.")


async def admit(request: Request[Any, Any, Any], entrance: Entrance, shown: str = "") -> Response[str]:
    """In: to the page that was asked for, or on with the open one. `shown`: what is to be read before."""
    again = bool(entrance.again_as) and entrance.again_as == entrance.username
    earlier = await person_of_session(request) if again else None
    if earlier and earlier.id == entrance.agent:  # another window was first: both go on with that one
        return html(signed_in_again(entrance.username, entrance.agent, earlier.csrf))
    token, csrf = await open_session(entrance.agent, browser_of(request.headers.get("user-agent", "")))
    if shown:
        answer = html(shown)
    elif again:
        answer = html(signed_in_again(entrance.username, entrance.agent, csrf))
    else:
        answer = html(headers={"HX-Redirect": landing(entrance.to)})
    answer.set_cookie(cookie(token))
    return answer


def landing(to: str) -> str:
    """The page that was asked for, if it is one of ours."""
    return to if OWN_PAGE.fullmatch(to) else "/console"


BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_of(user_agent: str) -> str:
    """Enough to know one's own again: "Firefox, Windows"."""
    found = [next((name for sign, name in signs if sign in user_agent), "") for signs in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in found if name)


def signed_in_again(username: str, agent: int, csrf: str) -> Markup:
    """An open page goes on, with the session that is."""
    return (
        swap("#csrf", ui.csrf(csrf, agent), "outerHTML")
        + swap("#sign-in", ui.sign_in_form("", username, {}), "outerHTML")
        + swap("#sign-in-again", ui.signed_in_again(), "outerHTML")
    )


def door(path: str) -> Markup:
    """The page that asks who one is, and then leads to the page that was asked for."""
    return ui.sign_in_page(desk.facts.name, path)


problems.door = door

routes = [sign_in]

ui = template("""
{% from "base.html" import plain %}
{% from "components.html" import button, field, icon, languages_nav, public_links %}

{% macro sign_in_page(desk, to="") %}
{% call plain(_("Sign in") ~ " · " ~ desk, ["htmx.min.js"], foot=foot()) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("Sign in") }}</h1>
<p class="soft" translate="no">{{ desk }}</p>
{{ sign_in_form("", "", {}, to) }}
{% endcall %}
{% endmacro %}

{% macro foot() %}
<footer class="plain-foot">{{ languages_nav("") }}{{ public_links("agent") }}</footer>
{% endmacro %}

{# method="dialog": nothing goes out, and no password into an address, before the script is there to send it. #}
{# Where a session has run out under an open page, the same form stands in a dialog, for the same person. #}
{% macro sign_in_form(username, again_as, errors, to="") %}
<form id="sign-in" class="stack" method="dialog" hx-post="/session" hx-swap="outerHTML" hx-sync="this:drop" novalidate>
  {% if again_as %}<input type="hidden" name="again_as" value="{{ again_as }}">{% endif %}
  {% if to %}<input type="hidden" name="to" value="{{ to }}">{% endif %}
  {% if provider() %}{{ button(_("Sign in with %(name)s", name=provider()), "primary", attrs={"href": "/session/oidc" ~ ("?" ~ {"to": to} | urlencode if to else ""), "class": "large fill", "data-way-in": true}) }}{% endif %}
  {% if provider_only() %}
  <details class="other-way"{% if errors %} open{% endif %}><summary>{{ _("Sign in with a password") }}</summary><div class="stack">{{ with_password(username, again_as, errors) }}</div></details>
  {% else %}
  {% if provider() %}<p class="or"><span>{{ _("or") }}</span></p>{% endif %}
  {{ with_password(username, again_as, errors) }}
  {% endif %}
</form>
{% endmacro %}

{% macro with_password(username, again_as, errors) %}
{% set here = not provider() or errors %}
  {% set id = "again-" if again_as else "" %}
  {{ field(_("User name"), "username", username or again_as, {}, autocomplete="username", id=id ~ "username", attrs={"autocapitalize": "none", "readonly": true} if again_as else {"autocapitalize": "none", "autofocus": true if here and not username else none}) }}
  {{ field(_("Password"), "password", "", errors, type="password", autocomplete="current-password", id=id ~ "password", attrs={"autofocus": true if here and (username or again_as) else none}) }}
  {{ button(_("Sign in"), "secondary" if provider() else "primary", type="submit", attrs={"class": "large fill"}) }}
{% endmacro %}

{% macro sign_in_again(person) %}
<dialog class="dialog" id="sign-in-dialog" aria-labelledby="sign-in-title" data-agent="{{ person.id }}">
  <h2 class="title" id="sign-in-title">{{ _("Please sign in") }}</h2>
  <p>{{ _("Your session is over. Sign in again and go on where you were: nothing you typed is lost.") }}</p>
  {{ sign_in_form("", person.username, {}) }}
</dialog>
<div id="sign-in-again" hidden></div>
{% endmacro %}

{% macro csrf(token, agent) %}<meta id="csrf" name="csrf" content="{{ token }}" data-agent="{{ agent }}">{% endmacro %}

{% macro signed_in_again() %}<div id="sign-in-again" hidden data-done></div>{% endmacro %}
""")  # noqa: E501
