"""One's own account: language and look of the screens, the password, where one is signed in. For everybody.

GET    /settings/me
PUT    /settings/me
PUT    /settings/me/password
DELETE /settings/me/sessions         all but this one
DELETE /settings/me/sessions/{id}
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, delete, get, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

import db
import layouts
from db.clock import now
from db.tables import Agent, Session
from features import audit, hashes, passwords, second_factor, settings, tries, ways_in
from features.access import Person, address_of, agent_of, signed_in
from layouts import Form, _, html, swap, template

LOOKS: dict[str, Callable[[], str]] = {
    "": lambda: _("Automatic"),
    "light": lambda: _("Light"),
    "dark": lambda: _("Dark"),
    "contrast": lambda: _("High contrast"),
}


@dataclass(frozen=True)
class Browser:
    """One that is signed in."""

    id: int
    name: str
    since: datetime
    seen: datetime | None
    mine: bool  # the one that asks


class Screens(Struct):
    language: str = ""
    look: str = ""
    version: str = ""


class NewPassword(Struct):
    old: str = ""
    new: str = ""


def looks() -> list[tuple[str, str]]:
    return [(look, words()) for look, words in LOOKS.items()]


@get("/settings/me", guards=[signed_in])
async def page(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    state = await second_factor.state_of(person.id)
    local = await has_password(person.id)
    return html(ui.page(person, await screens_of(person.id), state, await browsers(person), local))


@put("/settings/me", guards=[signed_in], status_code=200)
async def save(request: Request[Any, Any, Any], data: Form[Screens]) -> Response[str]:
    person = agent_of(request)
    errors = {}
    if data.language not in layouts.LANGUAGES:
        errors["language"] = _("Choose a language.")
    if data.look not in LOOKS:
        errors["look"] = _("Choose one from the list.")
    if errors:
        return html(ui.screens(data, errors), status_code=422)
    try:
        async with db.transaction():
            new = {"language": data.language, "look": data.look}
            await settings.change(person, Agent, person.id, settings.version(data.version), new)
    except settings.Outdated:
        words = await settings.outdated(Agent, person.id)
        data.version = (await screens_of(person.id)).version
        return html(ui.screens(data, {"form": words}), status_code=409)
    return settings.leave_for("/settings/me")


@put("/settings/me/password", guards=[signed_in], status_code=200)
async def change_password(request: Request[Any, Any, Any], data: Form[NewPassword]) -> Response[str]:
    person = agent_of(request)
    if not await has_password(person.id):
        raise NotFoundException
    wait, tried = await tries.count(person.username, address_of(request))
    if wait:
        return html(ui.password(person, {"old": tries.too_often(wait)}), status_code=429)
    errors = {}
    if not await hashes.agent_with(person.username, data.old):
        errors["old"] = _("This is not your password.")
    else:
        await tries.forget(tried)
    if problem := hashes.problem_with(data.new):
        errors["new"] = problem
    if errors:
        return html(ui.password(person, errors), status_code=422)
    password_hash = await hashes.hashed(data.new)
    async with db.transaction():
        await passwords.put(person.id, password_hash, keep_session=person.session)
        await audit.note(person.id, "password_changed", f"agent:{person.id}")
    words = _("Your password has been changed. You have been signed out everywhere else.")
    return html(
        ui.password(person, {}), swap("#sessions", ui.sessions(await browsers(person))), settings.saved(words)
    )


@delete("/settings/me/sessions", guards=[signed_in], status_code=200)
async def sign_out_elsewhere(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    async with db.transaction():
        await Session.delete().where(Session.agent == person.id).where(Session.id != person.session)
        await audit.note(person.id, "signed_out", f"agent:{person.id}")
    words = _("You have been signed out everywhere else.")
    return html(swap("#sessions", ui.sessions(await browsers(person))), settings.saved(words))


@delete("/settings/me/sessions/{session:int}", guards=[signed_in], status_code=200)
async def sign_out_there(request: Request[Any, Any, Any], session: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    mine = Session.delete().where(Session.agent == person.id).where(Session.id == session)
    async with db.transaction():
        if not await mine.where(Session.id != person.session).returning(Session.id):
            raise NotFoundException
        await audit.note(person.id, "signed_out", f"agent:{person.id}")
    return html(
        swap("#sessions", ui.sessions(await browsers(person))), settings.saved(_("Signed out there."))
    )


async def has_password(agent: int) -> bool:
    """One that counts: otherwise the provider lets this person in, by a second step of its own."""
    row = await Agent.select(Agent.password_hash).where(Agent.id == agent).first()
    return bool(row and row["password_hash"]) and await ways_in.password_works(agent)


async def screens_of(agent: int) -> Screens:
    row = await Agent.select(Agent.language, Agent.look, Agent.version).where(Agent.id == agent).first()
    assert row
    return Screens(row["language"], row["look"], str(row["version"]))


async def browsers(person: Person) -> list[Browser]:
    """This one first, then the latest."""
    rows = await (
        Session.select(Session.id, Session.browser, Session.created_at, Session.seen_at)
        .where(Session.agent == person.id)
        .where(Session.expires_at > now())
        .order_by(Session.created_at, ascending=False)
    )
    found = [
        Browser(row["id"], row["browser"], row["created_at"], row["seen_at"], row["id"] == person.session)
        for row in rows
    ]
    return sorted(found, key=lambda each: not each.mine)


layouts.env.globals["looks"] = looks
routes = [page, save, change_password, sign_out_elsewhere, sign_out_there]

ui = template("""
{% from "components.html" import button, field, icon, select_field, status %}
{% import "second_factor" as second_factor %}
{% import "settings" as settings %}

{% macro page(person, screens_, state, browsers, local) %}
{% call settings.page(person, _("My account"), _("How you sign in, and in which language you work."), "/settings/me") %}
<dl class="facts">
  <div><dt>{{ _("Name that visitors see") }}</dt><dd translate="no">{{ person.name }}</dd></div>
  <div><dt>{{ _("User name") }}</dt><dd translate="no">{{ person.username }}</dd></div>
</dl>
{{ screens(screens_, {}) }}
{% if local %}
{{ password(person, {}) }}
{{ second_factor.region(state, {}) }}
{% else %}
<section class="stack settings-part" aria-labelledby="way-in-title">
  <h2 class="title" id="way-in-title">{{ _("Signing in") }}</h2>
  <p>{{ _("You sign in with %(name)s. Your password and a second step, if there is one, are kept there.", name=provider()) if provider() else _("You have no password here. Ask your administrator.") }}</p>
</section>
{% endif %}
{{ sessions(browsers) }}
{% endcall %}
{% endmacro %}

{% macro screens(form, errors) %}
<form id="screens" class="stack" method="dialog" data-guard hx-put="/settings/me" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  <input type="hidden" name="version" value="{{ form.version }}">
  {% set options = [] %}
  {% for code in languages %}{{ options.append((code, code | own_name, code)) or "" }}{% endfor %}
  {{ select_field(_("Language of the screens"), "language", options, form.language, errors) }}
  {{ select_field(_("Display"), "look", looks(), form.look, errors, hint=_("Automatic follows your computer: light or dark, and high contrast if that is set there.")) }}
  <div class="actions">{{ button(_("Save"), "primary", type="submit") }}</div>
</form>
{% endmacro %}

{% macro password(person, errors) %}
<form id="password-form" class="stack settings-part" method="dialog" hx-put="/settings/me/password" hx-swap="outerHTML" novalidate aria-labelledby="password-title">
  <h2 class="title" id="password-title">{{ _("Password") }}</h2>
  <input class="visually-hidden" name="username" value="{{ person.username }}" autocomplete="username" tabindex="-1" aria-hidden="true" readonly>
  {{ field(_("Your password now"), "old", "", errors, type="password", autocomplete="current-password") }}
  {{ field(_("New password"), "new", "", errors, type="password", hint=_("At least 12 characters."), autocomplete="new-password") }}
  <div class="actions">{{ button(_("Change password"), "secondary", type="submit") }}</div>
</form>
{% endmacro %}

{% macro sessions(browsers) %}
<section class="stack settings-part" id="sessions" aria-labelledby="sessions-title">
  <h2 class="title" id="sessions-title">{{ _("Where you are signed in") }}</h2>
  <ul class="rows">
    {% for each in browsers %}
    <li class="row-item">
      <div><strong>{{ each.name or _("Unknown browser") }}</strong>{% if each.mine %} <span class="soft">· {{ _("this browser") }}</span>{% endif %}
        <p class="soft small">{{ _("Since %(day)s, %(time)s", day=each.since | day, time=each.since | clock_time) }}{% if each.seen and not each.mine %} · {{ _("last seen %(day)s, %(time)s", day=each.seen | day, time=each.seen | clock_time) }}{% endif %}</p></div>
      {% if not each.mine %}{{ button(_("Sign out"), "secondary", attrs={"hx-delete": "/settings/me/sessions/" ~ each.id, "hx-swap": "none"}) }}{% endif %}
    </li>
    {% endfor %}
  </ul>
  {% if browsers | length > 1 %}<div class="actions">{{ button(_("Sign out everywhere else"), "secondary", "log-out", attrs={"hx-delete": "/settings/me/sessions", "hx-swap": "none"}) }}</div>{% endif %}
</section>
{% endmacro %}
""")  # noqa: E501
