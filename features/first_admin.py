"""The first admin of an empty desk, who is made by a link that works once.

GET  /first-admin/{token}, POST
"""

import json
import secrets
from datetime import timedelta
from typing import Any

import structlog
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

import db
import layouts
from db import example_desk
from db.clock import now
from db.tables import Agent, OneTimeLink, Role
from features import access, hashes
from features.access import public
from layouts import Form, _, html, template

log = structlog.get_logger("balie")


class FirstAdmin(Struct):
    username: str = ""
    name: str = ""
    password: str = ""


async def first_admin_link() -> str | None:
    """Of a desk that nobody can sign in to: a path that works once, for a day. Asking again makes a new
    one."""
    if await Agent.exists():
        return None
    token = secrets.token_urlsafe(32)
    async with db.transaction():
        await OneTimeLink.delete().where(OneTimeLink.purpose == "first_admin")
        await OneTimeLink.insert(
            OneTimeLink(
                purpose="first_admin",
                token_hash=access.fingerprint(token),
                expires_at=now() + timedelta(days=1),
            )
        )
    return f"/first-admin/{token}"


async def say_first_admin_link(url: str) -> list[str]:
    """For whoever starts an empty desk, on the terminal."""
    path = await first_admin_link()
    return [f"  make the first administrator (once, within a day):  {url}{path}"] if path else []


async def say_what_is_known(url: str) -> list[str]:
    """Whoever has tried Balie out, and goes on in the same directory, would have a desk that others know."""
    if not await example_desk.is_here():
        return []
    log.warning("this is the example desk, with its accounts: a desk of your own needs another directory")
    return ["  THIS IS THE EXAMPLE DESK, with its accounts. For one of your own say another --data"]


@get("/first-admin/{token:str}", guards=[public])
async def first_admin(token: FromPath[str]) -> Response[str]:
    await access.open_link(token, "first_admin")
    return html(ui.first_admin_page(token, FirstAdmin()))


@post("/first-admin/{token:str}", guards=[public], status_code=200)
async def make_first_admin(
    request: Request[Any, Any, Any], token: FromPath[str], data: Form[FirstAdmin]
) -> Response[str]:
    access.refuse_other_sites(request)
    link = (await access.open_link(token, "first_admin"))["id"]
    if errors := problems_with(data):
        return html(ui.first_admin_form(token, data, errors), status_code=422)
    password_hash = await hashes.hashed(data.password)
    async with db.transaction():
        if not await OneTimeLink.delete().where(OneTimeLink.id == link).returning(OneTimeLink.id):
            raise NotFoundException
        roles = {name: Role(name=name, permissions=json.dumps(may)) for name, may in access.ROLES.items()}
        for role in roles.values():
            await role.save()
        agent = Agent(
            username=data.username.strip().lower(),
            name=data.name.strip(),
            password_hash=password_hash,
            role=roles["admin"].id,
            language=layouts.language.get(),
            languages=json.dumps([layouts.language.get()]),
            created_at=now(),
        )
        await agent.save()
    token, _csrf = await access.open_session(agent.id)
    answer = html(headers={"HX-Redirect": "/settings"})
    answer.set_cookie(access.cookie(token))
    return answer


def problems_with(form: FirstAdmin) -> dict[str, str]:
    errors = {}
    if not access.USERNAME.fullmatch(form.username.strip().lower()):
        errors["username"] = _("Use 2 to 64 letters, digits, dots, hyphens or underscores.")
    if not 1 <= len(form.name.strip()) <= 80:
        errors["name"] = _("Enter the name that visitors will see.")
    if problem := hashes.problem_with(form.password):
        errors["password"] = problem
    return errors


routes = [first_admin, make_first_admin]
welcome = [say_first_admin_link, say_what_is_known]

ui = template("""
{% from "base.html" import plain %}
{% from "components.html" import button, field, icon %}
{% import "signing_in" as signing_in %}

{% macro first_admin_page(token, form) %}
{% call plain(_("First administrator"), ["htmx.min.js"], foot=signing_in.foot()) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("First administrator") }}</h1>
<p>{{ _("This link works once. Make the account with which the desk is set up.") }}</p>
{{ first_admin_form(token, form, {}) }}
{% endcall %}
{% endmacro %}

{% macro first_admin_form(token, form, errors) %}
<form id="first-admin" class="stack" method="dialog" hx-post="/first-admin/{{ token }}" hx-swap="outerHTML" novalidate>
  {{ field(_("User name"), "username", form.username, errors, autocomplete="username", attrs={"autocapitalize": "none"}) }}
  {{ field(_("Name that visitors see"), "name", form.name, errors, autocomplete="name") }}
  {{ field(_("Password"), "password", "", errors, type="password", hint=_("At least 12 characters."), autocomplete="new-password") }}
  {{ button(_("Make account"), "primary", type="submit", attrs={"class": "large fill"}) }}
</form>
{% endmacro %}
""")  # noqa: E501
