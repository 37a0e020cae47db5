"""Signing keys: with which a site vouches for its visitors, made, changed for another and revoked.

    GET    /settings/widgets/{id}/keys
    POST   /settings/widgets/{id}/keys    a secret, shown this once; or the site's own public key
    GET    /settings/widgets/{id}/keys/{key}/revocation    the question
    DELETE /settings/widgets/{id}/keys/{key}    tokens that it signed no longer count

What a token says and when it counts is `identity`'s.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

import db
from db.clock import now
from db.settings import settings as environment
from db.tables import SigningKey
from features import audit, identity, settings, signing_snippets, widget_settings
from features.access import agent_of, may
from features.signing_snippets import Signing
from features.widget import WidgetFacts
from layouts import Form, _, env, html, swap, template

MOST_KEYS = 10  # in use at a time: one, and a second while changing over
KID = re.compile(r"[A-Za-z0-9._-]{1,40}")
KID_LETTERS, KID_LENGTH, SECRET_BYTES = widget_settings.KEY_LETTERS, 6, 36


class KeyForm(Struct):
    kid: str = ""
    algorithm: str = "HS256"
    material: str = ""


@dataclass(frozen=True)
class Listed:
    id: int
    kid: str
    algorithm: str
    created_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


@get("/settings/widgets/{id:int}/keys", guards=[may("manage_widgets")])
async def show(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found, keys = await widget_settings.widget_by_id(id), await keys_of(id)
    return html(ui.page(agent_of(request), found, keys, KeyForm(), snippets(found, keys)))


@post("/settings/widgets/{id:int}/keys", guards=[may("manage_widgets")], status_code=200)
async def create(request: Request[Any, Any, Any], id: FromPath[int], data: Form[KeyForm]) -> Response[str]:
    found = await widget_settings.widget_by_id(id)
    data.kid, shared = data.kid.strip(), data.algorithm == "HS256"
    async with db.transaction():
        await db.lock(f"signing keys {id}")
        if errors := problems_with(data, await keys_of(id)):
            return html(ui.form(found, data, errors), status_code=422)
        kid = data.kid or await new_kid(id)
        material = secrets.token_urlsafe(SECRET_BYTES) if shared else data.material.strip() + "\n"
        row = {"widget": id, "kid": kid, "algorithm": data.algorithm, "material": material}
        await settings.make(agent_of(request), SigningKey, {**row, "created_at": now()})
        db.after_commit(partial(widget_settings.changed, id))
    keys = await keys_of(id)
    return html(
        ui.form(found, KeyForm(), {}),
        swap("#new-secret", ui.once(kid, material if shared else "")),
        *regions(found, keys),
        headers={"Cache-Control": "no-store"},
    )


def regions(found: WidgetFacts, keys: Sequence[Listed]) -> tuple[str, str]:
    return (
        swap("#keys", ui.table(found, keys)),
        swap("#snippets", ui.snippets(snippets(found, keys)), "outerHTML"),
    )


@get("/settings/widgets/{id:int}/keys/{signing_key:int}/revocation", guards=[may("manage_widgets")])
async def ask_revocation(id: FromPath[int], signing_key: FromPath[int]) -> Response[str]:
    found = await key_of(id, signing_key)
    return html(swap("#ask-body", ui.ask(id, found), "innerHTML"))


@delete("/settings/widgets/{id:int}/keys/{signing_key:int}", guards=[may("manage_widgets")], status_code=200)
async def revoke(
    request: Request[Any, Any, Any], id: FromPath[int], signing_key: FromPath[int]
) -> Response[str]:
    """For good. The key itself is forgotten; that there was one is not."""
    async with db.transaction():
        if (await key_of(id, signing_key)).revoked_at is None:
            gone: dict[Any, Any] = {SigningKey.revoked_at: now(), SigningKey.material: ""}
            await SigningKey.update(gone).where(SigningKey.id == signing_key)
            fields = {"revoked_at": (None, now()), "material": None}
            await audit.note(agent_of(request).id, "changed", settings.about(SigningKey, signing_key), fields)
            db.after_commit(partial(widget_settings.changed, id))
    found, keys = await widget_settings.widget_by_id(id), await keys_of(id)
    answered = swap("#ask-body", ui.answered(), "innerHTML")
    return html(*regions(found, keys), swap("#new-secret", ui.once("", "")), settings.saved(), answered)


# ---- reading and judging ---------------------------------------------------------------------------------


async def keys_of(id: int) -> list[Listed]:
    """Those in use first, the newest first."""
    columns = SigningKey.id, SigningKey.kid, SigningKey.algorithm, SigningKey.created_at
    rows = await (
        SigningKey.select(*columns, SigningKey.revoked_at, SigningKey.used_at)
        .where(SigningKey.widget == id)
        .order_by(SigningKey.id, ascending=False)
    )
    return sorted((Listed(**row) for row in rows), key=lambda key: key.revoked_at is not None)


async def key_of(id: int, signing_key: int) -> Listed:
    for each in await keys_of(id):
        if each.id == signing_key:
            return each
    raise NotFoundException


async def new_kid(id: int) -> str:
    taken = [each.kid for each in await keys_of(id)]
    while (kid := "".join(secrets.choice(KID_LETTERS) for _place in range(KID_LENGTH))) in taken:
        pass
    return kid


def problems_with(data: KeyForm, keys: Sequence[Listed]) -> dict[str, str]:
    errors = {}
    if data.kid and not KID.fullmatch(data.kid):
        errors["kid"] = _("At most 40 letters, digits, dots, hyphens and underscores.")
    elif data.kid in [each.kid for each in keys]:
        errors["kid"] = _("There is or was a key with this name already.")
    if data.algorithm not in identity.ALGORITHMS:
        errors["algorithm"] = _("Choose from the list.")
    elif data.algorithm != "HS256" and identity.problem_with(data.algorithm, data.material.strip()):
        errors["material"] = wrong_material(data.algorithm, data.material)
    if len([each for each in keys if each.revoked_at is None]) >= MOST_KEYS:
        errors["form"] = _("There are ten keys in use: revoke one first.")
    return errors


def wrong_material(algorithm: str, material: str) -> str:
    if "PRIVATE KEY" in material:
        return _("This is a private key: keep it to yourself, and replace it. Paste the public key.")
    if algorithm == "ES256":
        return _("Paste a public key for ES256 (P-256), as PEM: it begins with -----BEGIN PUBLIC KEY-----.")
    return _(
        "Paste a public key for RS256 (2048 bits or more), as PEM: it begins with -----BEGIN PUBLIC KEY-----."
    )


def snippets(found: WidgetFacts, keys: Sequence[Listed]) -> dict[str, str]:
    """For the newest key; none without one."""
    for key in keys:
        if key.revoked_at is None:
            return signing_snippets.of(Signing(found.key, environment.url, key.kid, key.algorithm))
    return {}


env.globals["identify_call"] = (
    "(window.Balie = window.Balie || []).push(() => Balie.identify(() =>"
    " fetch('/balie-token').then((answer) => (answer.ok ? answer.text() : ''))))"
)
routes: list[Any] = [show, create, ask_revocation, revoke]

ui = template("""
{% from "components.html" import button, empty, field, notice, select_field, status, textarea_field %}
{% import "settings" as settings %}
{% import "widget_settings" as widgets %}

{% macro page(person, widget, keys, data, texts) %}
{% call widgets.frame(person, widget, "keys", _("Your site can vouch for who its visitor is, with a signed token. Agents see that with a lock, and the visitor need not fill it in again.")) %}
<section class="stack" aria-labelledby="keys-title">
  <h2 class="title" id="keys-title">{{ _("Signing keys") }}</h2>
  {{ table(widget, keys) }}
  {{ once("", "") }}
</section>
{{ form(widget, data, {}) }}
{{ snippets(texts) }}
<p><a href="/guide/{{ widget.key }}?lang={{ language() }}" target="_blank" rel="noopener">{{ _("Guide for developers") }}</a> · <a href="/guide/{{ widget.key }}/token?lang={{ language() }}" target="_blank" rel="noopener">{{ _("Check a token") }}</a></p>
{% endcall %}
{% endmacro %}

{% macro table(widget, keys) %}
<div id="keys">
  {% if keys %}
  <table class="cards-on-phone" aria-labelledby="page-title">
    <thead><tr><th scope="col">{{ _("Name") }}</th><th scope="col">{{ _("Algorithm") }}</th><th scope="col">{{ _("Since") }}</th><th scope="col">{{ _("Last used") }}</th><th scope="col"><span class="visually-hidden">{{ _("Revoke") }}</span></th></tr></thead>
    <tbody>
      {% for key in keys %}
      <tr id="key-{{ key.id }}">
        <th scope="row" translate="no">{{ key.kid }}</th>
        <td data-label="{{ _("Algorithm") }}">{{ key.algorithm }}</td>
        <td data-label="{{ _("Since") }}">{{ key.created_at | short_day }}</td>
        <td data-label="{{ _("Last used") }}">{% if key.used_at %}{{ key.used_at | short_day }} {{ key.used_at | clock_time }}{% else %}{{ _("never") }}{% endif %}</td>
        <td class="number">{% if key.revoked_at %}<span class="soft">{{ _("Revoked on %(day)s", day=key.revoked_at | short_day) }}</span>{% else %}{{ button(_("Revoke"), "secondary", attrs={"hx-get": "/settings/widgets/" ~ widget.id ~ "/keys/" ~ key.id ~ "/revocation", "hx-swap": "none", "aria-label": _("Revoke %(name)s", name=key.kid)}) }}{% endif %}</td>
      </tr>
      {% endfor %}
    </tbody>
  </table>
  <p class="soft">{{ _("To change a key: make a second one, let your site sign with it, and revoke the first when it is no longer used.") }}</p>
  {% else %}
  {{ empty(_("No signing keys yet"), _("Without one, visitors fill in who they are, and that stays unverified."), "lock") }}
  {% endif %}
</div>
{% endmacro %}

{# The secret, this once. #}
{% macro once(kid, secret) %}
<div id="new-secret" class="stack" role="status" tabindex="-1">
  {% if secret %}
  {{ notice("warning", _("This is the secret of the key %(name)s. It is shown only now: keep it where your site's server can read it, as BALIE_KEY.", name=kid)) }}
  {{ widgets.copied("secret", secret) }}
  {% elif kid %}
  {{ notice("success", _("The key %(name)s counts from now on.", name=kid)) }}
  {% endif %}
</div>
{% endmacro %}

{% macro form(widget, data, errors) %}
<form id="key" class="stack" method="dialog" data-keys hx-post="/settings/widgets/{{ widget.id }}/keys" hx-swap="outerHTML" novalidate>
  <h2 class="title">{{ _("Add a key") }}</h2>
  {{ settings.problem(errors.get("form")) }}
  {{ select_field(_("Algorithm"), "algorithm", [("HS256", _("HS256: a secret that we make and both sides know")), ("ES256", _("ES256: your own key, of which we get the public half")), ("RS256", _("RS256: your own key, of which we get the public half"))], data.algorithm, errors) }}
  <div data-public{% if data.algorithm == "HS256" %} hidden{% endif %}>
    {{ textarea_field(_("Public key"), "material", data.material, errors, hint=_("As PEM."), attrs={"class": "code", "spellcheck": "false"}) }}
  </div>
  {{ field(_("Name"), "kid", data.kid, errors, required=false, hint=_("Tokens name their key by it (kid). Left empty, we make one."), attrs={"spellcheck": "false"}) }}
  <div class="actions">{{ button(_("Add key"), "primary", "plus", type="submit") }}</div>
</form>
{% endmacro %}

{% macro snippets(texts) %}
<section class="stack" id="snippets"{% if texts %} aria-labelledby="snippets-title"{% endif %}>
  {% if texts %}
  <h2 class="title" id="snippets-title">{{ _("How your site signs") }}</h2>
  <p class="soft">{{ _("On your server, for whoever is signed in there, with the newest key. A token counts for ten minutes at most, and for one visitor.") }}</p>
  {% for name, words in snippet_languages.items() %}
  <details class="part" name="snippet">
    <summary class="title">{{ words }}</summary>
    {{ widgets.copied("snippet-" ~ name, texts[name]) }}
  </details>
  {% endfor %}
  <p class="soft">{{ _("In the page, give the button a function that fetches a token from your server. It is called when somebody presses the button.") }}</p>
  {{ widgets.copied("identify", identify_call) }}
  {% endif %}
</section>
{% endmacro %}

{# In the dialog, when what it asked has been done: the script closes it. #}
{% macro answered() %}<div data-answered></div>{% endmacro %}

{% macro ask(widget, key) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("Revoke the key %(name)s?", name=key.kid) }}</h2>
  <p>{{ _("Tokens signed with it no longer count, from this moment on. Conversations go on; new ones are unverified until your site signs with another key. This cannot be undone.") }}</p>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button(_("Revoke"), "danger", attrs={"hx-delete": "/settings/widgets/" ~ widget ~ "/keys/" ~ key.id, "hx-swap": "none"}) }}
  </div>
</div>
{% endmacro %}
""")  # noqa: E501
