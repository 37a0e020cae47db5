"""Token check: what is wrong with a token, said to whoever makes it, without using it up.

    GET  /guide/{key}/token
    POST /guide/{key}/token    judged as at a press on the button, and explained; neither kept nor logged

It is for everybody: developers of a site have no account here. Nothing can be learned from it that a press on
the button, which is everybody's too, would not say; whoever guesses at a secret does it faster at home, with
any token of the site. How many may be checked from one address has an end all the same: it is work.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery
from msgspec import Struct

import db
from db.clock import now
from db.tables import TokenCheck
from features import desk, guide, identity, rounds
from features.access import address_of, public
from features.desk import keyed
from features.identity import Verified
from features.tokens import Reading, plain_json
from features.widget import WidgetFacts
from layouts import Form, _, html, swap, template

MOST, MINUTES = 30, 10  # from one address
FORGET_EVERY_S = 60


class Pasted(Struct):
    token: str = ""


@dataclass(frozen=True)
class Judgement:
    """Of each part, what is wrong with it; and what can be read in it, whether or not it is believed."""

    parts: dict[str, str]
    header: str
    said: str
    unread: list[str]
    person: Verified | None  # as the agents would see it

    @property
    def believed(self) -> bool:
        return not any(self.parts.values())


@get("/guide/{key:str}/token", guards=[public])
async def show(key: FromPath[str], lang: FromQuery[str] = "") -> Response[str]:
    found = await guide.of_widget(key, lang)
    return html(ui.page(desk.facts.name, found), headers=guide.HEADERS)


@post("/guide/{key:str}/token", guards=[public], status_code=200)
async def check(
    request: Request[Any, Any, Any], key: FromPath[str], data: Form[Pasted], lang: FromQuery[str] = ""
) -> Response[str]:
    found = await guide.of_widget(key, lang)
    if not data.token.strip():
        return html(swap("#check", ui.form(found, {"token": _("Paste a token.")})), status_code=422)
    if not await may_check(keyed("address", address_of(request))):
        words = _("These are many tokens for ten minutes. Try again a little later.")
        return html(swap("#check", ui.form(found, {"token": words})), status_code=429)
    judged = await judge(found, data.token)
    return html(swap("#check", ui.form(found, {})), swap("#checked", ui.checked(judged), "outerHTML"))


async def may_check(address: str) -> bool:
    async with db.transaction():
        await db.lock("token checks")
        await forget_checks()
        if await TokenCheck.count().where(TokenCheck.address_hash == address) >= MOST:
            return False
        await TokenCheck.insert(TokenCheck(address_hash=address, checked_at=now()))
    return True


async def judge(found: WidgetFacts, token: str) -> Judgement:
    reading = Reading(await identity.keys_of(found.id), token, found.key)
    parts = {name: bad.text if bad else "" for name, bad in reading.judged()}
    person = None
    if not any(parts.values()):
        claims = reading.claims()
        person = Verified(claims.sub, claims.name, claims.email, claims.variables, found.name)
        if await identity.shown(found.id, claims.jti).first():
            parts["jti"] = identity.USED
    return Judgement(parts, readable(reading.header), readable(reading.said), reading.unread, person)


def readable(said: dict[str, Any]) -> str:
    try:
        return plain_json(said, indent=2) if said else ""
    except RecursionError:  # whoever nests that deep knows
        return plain_json(list(said))


async def forget_checks() -> None:
    """An address is known no longer than it is needed."""
    await TokenCheck.delete().where(TokenCheck.checked_at <= now() - timedelta(minutes=MINUTES))


routes = [show, check]
tasks = [rounds.every(FORGET_EVERY_S, forget_checks)]

ui = template("""
{% from "components.html" import button, fact, icon, notice, textarea_field %}
{% import "guide" as guide %}

{% macro page(desk, widget) %}
{% set path = "/guide/" ~ widget.key %}
{% call guide.frame(desk, widget, _("Check a token"), path ~ "/token", ["htmx.min.js"]) %}
<a class="guide-back" href="{{ path }}?lang={{ language() }}#identify">{{ icon("arrow-left") }}<span>{{ _("Guide for developers") }}</span></a>
<h1 class="display">{{ _("Check a token") }}</h1>
<p class="lead">{{ _("It is judged as at a press on the button, but not used up: it still counts afterwards. Nothing of it is kept or logged.") }}</p>
{{ form(widget, {}) }}
<section id="checked"></section>
{% endcall %}
{% endmacro %}

{% macro form(widget, errors) %}
<form id="check" class="stack" method="dialog" hx-post="/guide/{{ widget.key }}/token?lang={{ language() }}" hx-swap="none" novalidate>
  {{ textarea_field(_("Token"), "token", "", errors, hint=_("As your server makes it for this widget, %(key)s.", key=guide.code(widget.key)), attrs={"class": "code", "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "translate": "no"}) }}
  <div class="actions">{{ button(_("Check"), "primary", "circle-check", type="submit") }}</div>
</form>
{% endmacro %}

{% macro checked(judged) %}
<section id="checked" class="guide-checked" tabindex="-1" aria-labelledby="verdict">
  <h2 id="verdict">{{ _("This token is believed") if judged.believed else _("This token is not believed") }}</h2>
  {% if judged.believed %}{{ notice("success", _("At a press on the button now, agents would see this:")) }}
  {% else %}{{ notice("error", _("The chat would go on without it. What is wrong is said below, as in the console of your page's browser.")) }}{% endif %}
  {% if judged.believed %}{{ seen(judged.person) }}{% endif %}
  <ul class="guide-parts">
    {% for name, wrong in judged.parts.items() %}
    <li class="{{ "wrong" if wrong else "right" }}">{{ icon("circle-alert" if wrong else "circle-check") }}
      <div><p>{{ part(name) }}<span class="visually-hidden">: {{ _("wrong") if wrong else _("right") }}</span></p>{% if wrong %}<p lang="en" translate="no">{{ wrong }}</p>{% endif %}</div></li>
    {% endfor %}
  </ul>
  {% if judged.unread %}{{ notice("info", _("Also in it, and read by nobody: %(names)s", names=judged.unread | join(", "))) }}{% endif %}
  {% if judged.header %}
  <h3>{{ _("What it says") }}</h3>
  {{ guide.listing(judged.header) }}
  {% if judged.said %}{{ guide.listing(judged.said) }}{% endif %}
  {% endif %}
</section>
{% endmacro %}

{# As in the details of a chat. #}
{% macro seen(person) %}
<dl class="facts guide-seen">
  {% if person.name %}{{ fact(_("Name"), person.name, person.site, name=true) }}{% else %}{{ fact(_("Known as"), person.sub, person.site, name=true) }}{% endif %}
  {% if person.email %}{{ fact(_("E-mail"), person.email, person.site, name=true) }}{% endif %}
  {% for label, value in person.variables.items() %}{{ fact(label, value, person.site, name=true) }}{% endfor %}
</dl>
{% endmacro %}

{% macro part(name) -%}
{% set words = {
  "form": _("It is a JWT"), "key": _("Its key and algorithm"), "signature": _("Its signature"), "iss": _("for this widget"),
  "aud": _("for our address"), "exp": _("ends within ten minutes"), "iat": _("counts already"), "jti": _("its own number"),
  "sub": _("who it is"), "vars": _("labels and values"),
} %}
{% if name not in ("form", "key", "signature") %}{{ guide.code("nbf, iat" if name == "iat" else name) }} {% endif %}{{ words.get(name, "") }}
{% endmacro %}
""")  # noqa: E501
