"""Log: what the organisation keeps of every conversation, for who may read it.

    GET /settings/log                    search and filters, newest first
    GET /settings/log/{chat}             one conversation: everything in order; prints
    GET /settings/log/{chat}/export      one, GET /settings/log/export the found ones: as JSON Lines or PDF
    GET /settings/log/export/question    which of the two

Every look is written in the audit: who, when, at what; of a search only which filters, for words may be about
a person.
"""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from msgspec import convert

import db
from features import audit, conversions, finding, forgetting, holds, records, searching, settings
from features.access import Person, agent_of, may
from features.finding import Wish
from layouts import _, env, html, swap, template

forgetting.forgetters.append(searching.forget_all)

settings.entry("words", "/settings/log", lambda: _("Log"), "history", "read_log")
env.globals["rating_words"] = records.rating_words


def wish_of(request: Request[Any, Any, Any]) -> Wish:
    given = {name: request.query_params.get(name, "") for name in Wish.__struct_fields__}
    return finding.tidy(convert(given, Wish))


@get("/settings/log", guards=[may("read_log")])
async def index(request: Request[Any, Any, Any], before: FromQuery[str] = "") -> Response[str]:
    person, wish = agent_of(request), wish_of(request)
    errors = finding.problems_with(wish)
    page = finding.Page([], 0, None)
    if not errors:
        page = await finding.listed(wish, finding.number(before))
        await looked(person, "searched", "log", filters(wish))
    drawn = ui.page(person, wish, errors, await finding.choices(), page, bool(before))
    return html(drawn, status_code=422 if errors else 200)


@get("/settings/log/{chat:int}", guards=[may("read_log")])
async def show(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    found = await one(chat)
    await looked(person, "looked", f"chat:{chat}")
    held = await holds.of(chat) if "manage_privacy" in person.permissions else None
    return html(ui.record_page(person, found, held))


async def one(chat: int) -> records.Record:
    found = await records.load([chat]) if chat <= finding.LARGEST else []
    if not found:
        raise NotFoundException
    return found[0]


# ---- taking it along -------------------------------------------------------------------------------------


@get("/settings/log/export/question", guards=[may("read_log")])
async def ask_format(request: Request[Any, Any, Any]) -> Response[str]:
    wish = wish_of(request)
    found = await finding.listed(wish, most=1)
    return html(swap("#ask-body", ui.ask_format(wish, found), "innerHTML"))


@get("/settings/log/export", guards=[may("read_log")])
async def export_found(request: Request[Any, Any, Any], format: FromQuery[str] = "jsonl") -> Response[bytes]:
    wish = wish_of(request)
    if finding.problems_with(wish):
        raise NotFoundException
    chats = await finding.ids(wish)
    fields = filters(wish) | {"conversations": (None, len(chats))}
    return await exported(agent_of(request), chats, format, "log", fields)


@get("/settings/log/{chat:int}/export", guards=[may("read_log")])
async def export_one(
    request: Request[Any, Any, Any], chat: FromPath[int], format: FromQuery[str] = "jsonl"
) -> Response[bytes]:
    await one(chat)
    return await exported(agent_of(request), [chat], format, f"chat:{chat}", {})


async def exported(
    person: Person, chats: list[int], format: str, about: str, fields: dict[str, Any]
) -> Response[bytes]:
    if format not in conversions.FORMATS or not chats:
        raise NotFoundException
    made = await conversions.FORMATS[format](chats)
    await looked(person, "exported", about, fields | {"format": (None, format)})
    name = _("log") + (f"-{chats[0]}" if about != "log" else f"-{finding.today()}")
    return conversions.download(made, format, name)


async def looked(person: Person, what: str, about: str, fields: dict[str, Any] | None = None) -> None:
    async with db.transaction():
        await audit.note(person.id, what, about, fields)


def filters(wish: Wish) -> dict[str, Any]:
    """Their names, and nothing of what was looked for."""
    return dict.fromkeys(wish.given())


routes: list[Any] = [index, show, ask_format, export_found, export_one]

ui = template("""
{% from "components.html" import button, checkbox, empty, fact, field, icon, notice, select_field %}
{% import "holds" as holds %}
{% import "settings" as settings %}
{% import "messages" as messages %}
{% import "private" as private %}

{% macro page(person, wish, errors, choices, page, further) %}
{% call settings.page(person, _("Log"), _("Every conversation as the organisation keeps it, private messages included. Each look is written in the audit."), "/settings/log", wide=true) %}
{{ search(wish, errors, choices) }}
{% if errors %}{% elif page.rows %}
<div class="log-found">
  <p role="status">{% if page.more %}{{ _("More than %(n)s conversations", n=page.count - 1) }}{% else %}{{ ngettext("%(num)s conversation", "%(num)s conversations", page.count) }}{% endif %}</p>
  {{ button(_("Export"), "secondary", "download", attrs={"hx-get": "/settings/log/export/question?" ~ wish.query(), "hx-swap": "none"}) }}
</div>
<table class="cards-on-phone log-table" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Started") }}</th><th scope="col">{{ _("Visitor") }}</th><th scope="col">{{ _("Queue") }}</th><th scope="col">{{ _("Staff") }}</th><th scope="col">{{ _("Ended") }}</th><th scope="col">{{ _("Rating") }}</th></tr></thead>
  <tbody>{% for each in page.rows %}{{ row(each) }}{% endfor %}</tbody>
</table>
<nav class="actions" aria-label="{{ _("Pages") }}">
  {% if further %}{{ button(_("Newest"), "quiet", "arrow-left", attrs={"href": "/settings/log?" ~ wish.query()}) }}{% endif %}
  {% if page.older %}{{ button(_("Older conversations"), "secondary", "arrow-right", attrs={"href": "/settings/log?" ~ wish.query(before=page.older)}) }}{% endif %}
</nav>
{% elif wish.given() %}
{% call empty(_("Nothing found"), _("No conversation has all of this. Try fewer words or filters; a word also finds what begins with it."), "search") %}{{ button(_("Show all conversations"), attrs={"href": "/settings/log"}) }}{% endcall %}
{% else %}
{% call empty(_("No conversations yet"), _("Each conversation appears here as soon as it begins."), "history") %}{% endcall %}
{% endif %}
{% endcall %}
{% endmacro %}

{% macro search(wish, errors, choices) %}
<form class="log-search stack" method="get" action="/settings/log" role="search" novalidate>
  <div class="log-words">
    <label class="visually-hidden" for="words">{{ _("Search the log") }}</label>
    <input class="input" type="search" id="words" name="words" value="{{ wish.words }}" placeholder="{{ _("Words, a name, a number, a file") }}" autocomplete="off" spellcheck="false" maxlength="200">
    {{ button(_("Search"), "primary", "search", type="submit") }}
  </div>
  <details class="log-filters"{% if wish.filters() %} open{% endif %}>
    <summary>{{ _("Filters") }}{% if wish.filters() %} ({{ wish.filters() }}){% endif %}</summary>
    <div class="log-grid">
      {{ field(_("From"), "since", wish.since, errors, type="date", required=false) }}
      {{ field(_("Up to and including"), "until", wish.until, errors, type="date", required=false) }}
      {{ select_field(_("Queue"), "queue", choices.queues, wish.queue, required=false) }}
      {{ select_field(_("Staff"), "agent", choices.agents, wish.agent, required=false) }}
      {{ select_field(_("Language"), "language", choices.languages, wish.language, required=false) }}
      {{ select_field(_("Ended"), "how", choices.endings, wish.how, required=false) }}
      {{ select_field(_("Rating"), "rating", choices.ratings, wish.rating, required=false) }}
      {{ field(_("Case number"), "case", wish.case, required=false) }}
      {{ field(_("Verified id or e-mail address"), "person", wish.person, required=false) }}
      <div class="log-checks">
        {{ checkbox(_("With private messages"), "private", wish.private) }}
        {{ checkbox(_("With attachments"), "files", wish.files) }}
      </div>
    </div>
    <div class="actions">
      {{ button(_("Apply filters"), "secondary", type="submit") }}
      {% if wish.given() %}{{ button(_("Clear"), "quiet", attrs={"href": "/settings/log"}) }}{% endif %}
    </div>
  </details>
</form>
{% endmacro %}

{% macro row(each) %}
<tr>
  <th scope="row"><a href="/settings/log/{{ each.id }}"><time datetime="{{ each.started_at.isoformat() }}">{{ each.started_at | short_day }} {{ each.started_at | clock_time }}</time></a></th>
  <td data-label="{{ _("Visitor") }}"><span class="log-who">
    <span translate="no">{{ each.visitor or _("No name given") }}</span>{% if each.site %}{{ sign("lock", _("Verified by %(site)s", site=each.site)) }}{% endif %}
    {% if each.private %}{{ sign("eye", _("With private messages"), "private") }}{% endif %}{% if each.files %}{{ sign("paperclip", _("With attachments")) }}{% endif %}
    {% if each.case_number %}<span class="soft small" translate="no">{{ each.case_number }}</span>{% endif %}</span></td>
  <td data-label="{{ _("Queue") }}" translate="no">{{ each.queue }}</td>
  <td data-label="{{ _("Staff") }}" translate="no">{{ each.agents | join(", ") or "–" }}</td>
  <td data-label="{{ _("Ended") }}">{{ each.ended }}</td>
  <td data-label="{{ _("Rating") }}">{{ rating_words(each.rating) if each.rating else "–" }}</td>
</tr>
{% endmacro %}

{% macro sign(name, words, kind="") -%}
<span class="log-sign {{ kind }}" title="{{ words }}">{{ icon(name) }}<span class="visually-hidden">{{ words }}</span></span>
{%- endmacro %}

{% macro ask_format(wish, page) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("Export conversations") }}</h2>
  <p>{% if page.more %}{{ _("The newest %(n)s of those found.", n=page.count - 1) }}{% else %}{{ ngettext("%(num)s conversation, private messages included.", "%(num)s conversations, private messages included.", page.count) }}{% endif %}
    {{ _("The export is written in the audit.") }}</p>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button("JSON Lines", "secondary", "download", attrs={"href": "/settings/log/export?" ~ wish.query(format="jsonl"), "download": true, "data-close-dialog": true}) }}
    {{ button("PDF", "secondary", "download", attrs={"href": "/settings/log/export?" ~ wish.query(format="pdf"), "download": true, "data-close-dialog": true}) }}
  </div>
</div>
{% endmacro %}

{# ---- one conversation ---- #}

{% macro record_page(person, record, held) %}
{% call settings.page(person, record.visitor or _("No name given"), _("Conversation of %(day)s", day=record.started_at | day), "/settings/log", back=("/settings/log", _("Log")), wide=true) %}
<p class="print-only internal">{{ icon("eye") }}<span>{{ _("Internal: contains private messages. Do not hand out to visitors.") }}</span></p>
<div class="actions no-print">
  {{ button(_("Print"), "secondary", "file-text", attrs={"data-print": true}) }}
  {{ button("PDF", "secondary", "download", attrs={"href": "/settings/log/" ~ record.id ~ "/export?format=pdf", "download": true}) }}
  {{ button("JSON Lines", "secondary", "download", attrs={"href": "/settings/log/" ~ record.id ~ "/export?format=jsonl", "download": true}) }}
</div>
{{ facts(record) }}
<section aria-labelledby="log-thread-title">
  <h2 class="title" id="log-thread-title">{{ _("What was said and done") }}</h2>
  <ol class="log-thread">
    {% set before = namespace(day="") %}
    {% for item in record.items %}
    {% if item.at | day != before.day %}{% set before.day = item.at | day %}<li class="message event log-day"><time datetime="{{ item.at.isoformat() }}">{{ before.day }}</time></li>{% endif %}
    {{ happening(item, person.may_reveal) }}
    {% endfor %}
  </ol>
</section>
{% if "manage_privacy" in person.permissions %}
<section class="stack danger-zone no-print" aria-labelledby="hold-title">
  <h2 class="title" id="hold-title">{{ _("Legal hold") }}</h2>
  {{ holds.control(record.id, held) }}
</section>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro facts(record) %}
{% set known = record.verified %}
{% set site = known.site if known else "" %}
<dl class="facts log-facts">
  {{ fact(_("Visitor"), record.visitor or _("No name given"), site if known and known.name else "", name=true) }}
  {% if record.email %}{{ fact(_("E-mail"), record.email, site if known and known.email else "", name=true) }}{% endif %}
  {% if known %}{{ fact(_("Known as"), known.sub, site, name=true) }}{% for label, value in known.variables.items() %}{{ fact(label, value, site, name=true) }}{% endfor %}{% endif %}
  {{ fact(_("Queue"), record.queue, name=true) }}
  {% if record.subject %}{{ fact(_("Subject"), record.subject, lang=record.subject_language) }}{% endif %}
  {{ fact(_("Language"), record.language | language_name) }}
  {% if record.page %}{{ fact(_("Page"), record.page, name=true) }}{% endif %}
  {% if record.case_number %}{{ fact(_("Case number"), record.case_number, name=true) }}{% endif %}
  {{ fact(_("Started"), record.started_at | short_day ~ " " ~ record.started_at | clock_time) }}
  {% if record.waited %}{{ fact(_("Waited"), record.waited) }}{% endif %}
  {% if record.lasted %}{{ fact(_("Lasted"), record.lasted) }}{% endif %}
  {{ fact(_("Staff"), record.agents | join(", ") or "–", name=true) }}
  {{ fact(_("Ended"), ended(record)) }}
  {% if record.rating %}{{ fact(_("Rating"), rating_words(record.rating)) }}{% endif %}
</dl>
{% endmacro %}

{% macro ended(record) -%}
{% if record.ended_at %}{{ log_endings.get(record.ended_how, log_endings["unanswered"])() }} · {{ record.ended_at | clock_time }}{% else %}{{ log_endings["running"]() }}{% endif %}
{%- endmacro %}

{# Public messages and private ones as everywhere; what only colleagues saw happen, in small. #}
{% macro happening(item, reveals) %}
{% if item.note %}{{ private.note(item.note) }}
{% elif item.kind in ("joined", "taken_over", "left", "returned", "transferred", "ended") %}{{ event(item, "message-square") }}
{% elif item.line %}{{ messages.message(item.line, "agent", 0, reveals) }}
{% elif item.kind == "rated" %}{{ event(item, "star", item.data.remark) }}
{% elif item.kind == "invited" %}{{ event(item, "user-plus", item.data.note, "private") }}
{% else %}{{ event(item, "info") }}{% endif %}
{% endmacro %}

{% macro event(item, sign, more="", kind="") %}
<li class="message event log-event">
  <p class="event-words">{{ icon(sign) }}<time datetime="{{ item.at.isoformat() }}">{{ item.at | clock_time }}</time> <span>{{ item.words }}</span></p>
  {% if more %}<blockquote class="log-quote {{ kind }}" dir="auto">{% if kind %}{{ icon("eye") }}{% endif %}<span>{{ more }}</span></blockquote>{% endif %}
</li>
{% endmacro %}
""")  # noqa: E501

env.globals["log_endings"] = finding.ENDINGS
