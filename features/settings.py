"""Settings: the shell of the settings pages, and how a setting is saved.

    GET /settings    the first page that one may see

A feature says with `entry` that it has a page; the page itself stands in the feature's module, in
`{% call settings.page(…) %}`. Its rows are saved by `make`, `change` and `unmake`, which write the audit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.response import Redirect
from markupsafe import Markup, escape
from piccolo.columns import Column
from piccolo.table import Table

import layouts
from db.tables import Agent
from features import audit, desk
from features.access import Person, agent_of, signed_in
from layouts import _, env, html, swap, template

# ---- the pages -------------------------------------------------------------------------------------------


def always() -> bool:
    return True


@dataclass(frozen=True)
class Entry:
    """A page in the side navigation."""

    path: str
    title: Callable[[], str]
    icon: str
    permission: str
    wanted: Callable[[], bool] = always  # or it stands in the menu no longer


GROUPS: dict[str, Callable[[], str]] = {
    "desk": lambda: _("Set-up"),
    "people": lambda: _("People"),
    "words": lambda: _("Conversations"),
    "figures": lambda: _("Insight"),
    "privacy": lambda: _("Privacy and control"),
}
# As they stand there, whatever order the features are read in.
ORDER = (
    "start queues hours days widgets house-style desk",
    "people profiles roles sign-in",
    "presets offers log",
    "reports wallboard running blocks",
    "privacy privacy/person privacy/holds privacy/register audit",
)
PLACES = {f"/settings/{path}": at for at, path in enumerate(" ".join(ORDER).split())}
entries: dict[str, list[Entry]] = {group: [] for group in GROUPS}


def entry(
    group: str,
    path: str,
    title: Callable[[], str],
    icon: str,
    permission: str,
    wanted: Callable[[], bool] = always,
) -> None:
    """A page of its own. `title` is asked for in the viewer's language."""
    if path not in [each.path for each in entries[group]]:
        entries[group].append(Entry(path, title, icon, permission, wanted))
        entries[group].sort(key=lambda each: PLACES[each.path])


def offered_to(person: Person) -> dict[str, list[Entry]]:
    """By title of the group."""
    found = {
        GROUPS[group](): [each for each in pages if each.permission in person.permissions and each.wanted()]
        for group, pages in entries.items()
    }
    return {group: pages for group, pages in found.items() if pages}


@get("/settings", guards=[signed_in])
async def first_page(request: Request[Any, Any, Any]) -> Redirect:
    for pages in offered_to(agent_of(request)).values():
        return Redirect(pages[0].path)
    raise PermissionDeniedException


env.globals["settings_of"] = offered_to
env.globals["desk_name"] = lambda: desk.facts.name
env.globals["desk_language"] = lambda: desk.facts.language  # of what an admin says but once


# ---- saving ----------------------------------------------------------------------------------------------


class Outdated(Exception):
    """Somebody else has saved it since it was read."""


async def make(person: Person, table: type[Table], values: Mapping[str, Any]) -> int:
    """Within a transaction. The id of the new row."""
    (row,) = await table.insert(table(**values)).returning(table._meta.primary_key)
    id = int(row["id"])
    fields = {name: None if hidden(table, name) else (None, value) for name, value in values.items()}
    await audit.note(person.id, "made", about(table, id), fields)
    return id


async def change(
    person: Person,
    table: type[Table],
    id: int,
    version: int,
    values: Mapping[str, Any],
    more: Mapping[str, tuple[Any, Any]] | None = None,
) -> bool:
    """Within a transaction. Writes what differs, if the row is still as it was read; else `Outdated`. `more`:
    what has changed in rows that belong to it. False if nothing has."""
    key = table._meta.primary_key
    before = await table.select().where(key == id).first()
    if before is None:
        raise NotFoundException
    if before["version"] != version:
        raise Outdated
    new = {name: value for name, value in values.items() if before[name] != value}
    if not new and not more:
        return False
    columns: dict[Column | str, Any] = {"version": version + 1}
    columns.update(new)
    await table.update(columns).where(key == id)
    fields: dict[str, tuple[Any, Any] | None] = {
        name: None if hidden(table, name) else (before[name], value) for name, value in new.items()
    }
    await audit.note(person.id, "changed", about(table, id), {**fields, **(more or {})})
    return True


async def unmake(person: Person, table: type[Table], id: int) -> None:
    """Within a transaction."""
    key = table._meta.primary_key
    before = await table.select().where(key == id).first()
    if before is None:
        raise NotFoundException
    await table.delete().where(key == id)
    gone = {name: (value, None) for name, value in before.items() if not hidden(table, name)}
    await audit.note(person.id, "deleted", about(table, id), gone)


def about(table: type[Table], id: int) -> str:
    return f"{table._meta.tablename}:{id}"


def hidden(table: type[Table], name: str) -> bool:
    """Of these the audit keeps only that they were set."""
    return table._meta.get_column_by_name(name)._meta.secret or (table is Agent and name in audit.PERSONAL)


async def outdated(table: type[Table], id: int) -> str:
    """In words: who was first, and what now."""
    latest = await audit.last_change(about(table, id))
    name, at = (latest.name, latest.at) if latest else ("", None)
    return _(
        "%(name)s saved this at %(time)s, after you opened the page. Nothing of yours is lost, and nothing is"
        " saved yet: save again to replace that change, or reload the page to see it."
    ) % {
        "name": name or _("Somebody else"),
        "time": layouts.clock_time(at) if isinstance(at, datetime) else "",
    }


def version(text: str) -> int:
    """As the form brings it back; what is not a number is no version that ever was."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def one_line(text: str) -> str:
    """Of what is typed in a field of one line; a no-break space stays what it is."""
    return re.sub(r"[^\S\u00a0\u202f]+", " ", text).strip()


def id_of(name: str, known: Mapping[int, str]) -> str:
    """As a form would send it; "" if nothing has this name."""
    return next((str(id) for id, each in known.items() if each.lower() == name.strip().lower()), "")


def whole_number(text: str, least: int, most: int) -> bool:
    return bool(re.fullmatch("[0-9]{1,9}", text.strip())) and least <= int(text) <= most


def too_long(n: int, limit: int) -> str:
    return _("%(n)s characters; at most %(limit)s fit.") % {
        "n": layouts.number(n),
        "limit": layouts.number(limit),
    }


def saved(title: str = "") -> str:
    """Said when something has been saved, next to whatever the answer redraws; the page may have a new
    title."""
    renamed = swap("#page-title", escape(title), "innerHTML") if title else Markup("")
    return renamed + swap("#notices", ui.saved(), "innerHTML")


def leave_for(path: str) -> Response[str]:
    """The page that one goes on to when there is nothing left to do here."""
    return html(headers={"HX-Redirect": path})


routes = [first_page]

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import button, icon, menu, notice, public_links %}
{% import "signing_in" as signing_in %}

{# {% call settings.page(person, title, words, "/settings/queues") %}…{% endcall %}: `words` explain the page in one line;
   `back` is (path, title) of the page that this one is a part of, `part` what of it is shown. #}
{% macro page(person, title, words, here, back=none, wide=false, part="") %}
{% set inner = caller() %}
{% call document([title, part, back[1] if back else "", desk_name()] | select | join(" · "), "settings", ["htmx.min.js", "session.js", "settings.js"], person.csrf) %}
<a class="skip" href="#main">{{ _("Skip to the page") }}</a>
<header class="topbar">
  <p class="wordmark">{{ icon("messages-square") }}Balie</p>
  <p class="soft settings-desk" translate="no">{{ desk_name() }}</p>
  <div class="topbar-end">
    {% if "chat" in person.permissions %}{{ button(_("Console"), "quiet", "messages-square", attrs={"href": "/console"}) }}{% endif %}
    {% call menu("person-menu", icon("user") ~ who(person)) %}
    <a class="menu-item" href="/settings/me">{{ icon("user") }}{{ _("My account") }}</a>
    <a class="menu-item" href="/help/admin?lang={{ language() }}" target="_blank" rel="noopener">{{ icon("circle-help") }}{{ _("Help") }}</a>
    <button type="button" class="menu-item" hx-delete="/session" hx-swap="none">{{ icon("log-out") }}{{ _("Sign out") }}</button>
    {% endcall %}
  </div>
</header>
<div class="settings-frame">
  {% if settings_of(person) %}
  <nav class="settings-nav" aria-label="{{ _("Settings") }}">
    <details class="settings-menu" open>
      <summary class="button secondary fill">{{ icon("settings") }}<span>{{ _("Settings") }}</span></summary>
      {% for group, pages in settings_of(person).items() %}
      <h2 class="settings-group">{{ group }}</h2>
      <ul>
        {% for each in pages %}
        <li><a class="settings-link" href="{{ each.path }}"{% if each.path == here %} aria-current="{{ "true" if back else "page" }}"{% endif %}>{{ icon(each.icon) }}<span>{{ each.title() }}</span></a></li>
        {% endfor %}
      </ul>
      {% endfor %}
    </details>
  </nav>
  {% endif %}
  <main class="settings-main{% if wide %} wide{% endif %} stack" id="main">
    <header class="settings-head">
      {% if back %}<a class="settings-back" href="{{ back[0] }}">{{ icon("arrow-left") }}<span>{{ back[1] }}</span></a>{% endif %}
      <h1 class="display" id="page-title">{{ title }}</h1>
      {% if words %}<p class="soft">{{ words }}</p>{% endif %}
    </header>
    {{ inner }}
  </main>
</div>
<footer class="settings-foot no-print">{{ public_links("admin") }}</footer>
<div id="notices" aria-live="polite"></div>
<dialog class="dialog" id="ask" aria-labelledby="ask-title"><div id="ask-body"></div></dialog>
{{ signing_in.sign_in_again(person) }}
{% endcall %}
{% endmacro %}

{% macro who(person) %}<span translate="no">{{ person.name }}</span>{% endmacro %}

{# The foot of a form: sticks to the bottom of the window. `version` is that of the row, "" for a new one. #}
{% macro save_bar(cancel, version="", words="") %}
<div class="save-bar">
  {% if version != "" %}<input type="hidden" name="version" value="{{ version }}">{% endif %}
  {{ button(words or _("Save"), "primary", type="submit") }}
  {{ button(_("Cancel"), "quiet", attrs={"href": cancel}) }}
  <span class="soft small" data-unsaved hidden>{{ _("Not saved yet") }}</span>
</div>
{% endmacro %}

{# What is wrong with the form as a whole, over it. #}
{% macro problem(words) %}
{% if words %}{{ notice("error", words, attrs={"role": "alert", "tabindex": "-1", "data-problem": true}) }}{% endif %}
{% endmacro %}

{% macro saved() %}
{{ notice("success", _("Saved."), attrs={"data-fades": true}) }}
{% endmacro %}

{# Asked before something goes for good; `url` is deleted. #}
{% macro ask_deleting(title, words, url) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ title }}</h2>
  <p>{{ words }}</p>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button(_("Delete"), "danger", attrs={"hx-delete": url, "hx-swap": "none", "data-close-dialog": true}) }}
  </div>
</div>
{% endmacro %}

{# It cannot go, for these use it: (what, path or "") each. #}
{% macro in_use(title, uses) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ title }}</h2>
  <p>{{ _("It is still used:") }}</p>
  <ul>{% for words, path in uses %}<li>{% if path %}<a href="{{ path }}">{{ words }}</a>{% else %}{{ words }}{% endif %}</li>{% endfor %}</ul>
  <div class="actions end">{{ button(_("Close"), attrs={"data-close-dialog": true, "autofocus": true}) }}</div>
</div>
{% endmacro %}
""")  # noqa: E501
