"""Offer settings: the saved menus of options as admins keep them: order, versions, and as a table.

    GET    /settings/offers, /settings/offers/new, /settings/offers/{id}
    POST   /settings/offers
    PUT    /settings/offers/{id}
    DELETE /settings/offers/{id}
    POST   /settings/offers/{id}/position, /settings/offers/{id}/earlier, /settings/offers/return
    GET    /settings/offers/table    as CSV; POST takes one

A change of a saved menu touches none that was put before a visitor.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.params import Body, FromPath
from msgspec import Struct

import db
from db.tables import SavedOffer
from features import offers, queues, settings, spreadsheets, versions
from features.access import Person, agent_of, may
from features.offers import FEWEST, MOST, OPTION_LENGTH, TITLE_LENGTH
from features.spreadsheets import Told
from features.versions import Back, Move, State
from layouts import LANGUAGES, Form, _, html, language_name, swap, template

COLUMNS = ("title", "language", "queue", "several", *(f"option{n}" for n in range(1, MOST + 1)))
KEPT = ("title", "options", "several", "language", "queue")
YES = ("yes", "ja", "oui", "true", "1", "x")

settings.entry("words", "/settings/offers", lambda: _("Saved offers"), "list", "manage_presets")


class OfferForm(Struct):
    title: str = ""
    options: str = ""  # one a line
    several: str = ""
    language: str = "nl"
    queue: str = ""
    version: str = ""


@dataclass(frozen=True)
class Listed:
    id: int
    title: str
    options: list[str]
    several: bool
    language: str
    queue: str


@get("/settings/offers", guards=[may("manage_presets")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await all_offers(), await gone()))


@get("/settings/offers/new", guards=[may("manage_presets")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    form = OfferForm(language=agent_of(request).language)
    return html(ui.edit_page(agent_of(request), None, form, await choices(), []))


@get("/settings/offers/{offer:int}", guards=[may("manage_presets")])
async def edit(request: Request[Any, Any, Any], offer: FromPath[int]) -> Response[str]:
    form = await form_of(offer)
    return html(ui.edit_page(agent_of(request), offer, form, await choices(), await earlier(offer)))


@post("/settings/offers", guards=[may("manage_presets")], status_code=200)
async def create(request: Request[Any, Any, Any], data: Form[OfferForm]) -> Response[str]:
    if errors := problems_with(data, await queues.names()):
        return html(ui.form(None, data, await choices(), errors), status_code=422)
    async with db.transaction():
        await add(agent_of(request), data)
    return settings.leave_for("/settings/offers")


async def add(person: Person, form: OfferForm) -> None:
    place = {"position": await versions.last_place(SavedOffer)}
    await settings.make(person, SavedOffer, values(form) | place)


@put("/settings/offers/{offer:int}", guards=[may("manage_presets")], status_code=200)
async def save(request: Request[Any, Any, Any], offer: FromPath[int], data: Form[OfferForm]) -> Response[str]:
    if errors := problems_with(data, await queues.names()):
        return html(ui.form(offer, data, await choices(), errors), status_code=422)
    try:
        async with db.transaction():
            version = settings.version(data.version)
            await settings.change(agent_of(request), SavedOffer, offer, version, values(data))
    except settings.Outdated:
        data.version = (await form_of(offer)).version
        errors = {"form": await settings.outdated(SavedOffer, offer)}
        return html(ui.form(offer, data, await choices(), errors), status_code=409)
    return await redrawn(offer)


async def redrawn(offer: int) -> Response[str]:
    """The form as it is saved now, and what it was before."""
    form = await form_of(offer)
    return html(
        swap("#offer", ui.form(offer, form, await choices(), {})),
        swap("#earlier", ui.earlier(offer, await earlier(offer))),
        settings.saved(form.title),
    )


@delete("/settings/offers/{offer:int}", guards=[may("manage_presets")], status_code=200)
async def destroy(request: Request[Any, Any, Any], offer: FromPath[int]) -> Response[str]:
    """Without a question: it can be brought back."""
    async with db.transaction():
        await settings.unmake(agent_of(request), SavedOffer, offer)
    return settings.leave_for("/settings/offers")


@post("/settings/offers/{offer:int}/position", guards=[may("manage_presets")], status_code=200)
async def move(offer: FromPath[int], data: Form[Move]) -> Response[str]:
    """One place up or down in the list."""
    await versions.move(SavedOffer, offer, data.to == "up")
    return html(swap("#offers", ui.table(await all_offers())))


@post("/settings/offers/{offer:int}/earlier", guards=[may("manage_presets")], status_code=200)
async def bring_back(
    request: Request[Any, Any, Any], offer: FromPath[int], data: Form[Back]
) -> Response[str]:
    """As it was before one of its changes."""
    async with db.transaction():
        state = versions.chosen(await earlier(offer), data.audit)
        version = settings.version((await form_of(offer)).version)
        await settings.change(agent_of(request), SavedOffer, offer, version, state.values)
    return await redrawn(offer)


@post("/settings/offers/return", guards=[may("manage_presets")], status_code=200)
async def return_deleted(request: Request[Any, Any, Any], data: Form[Back]) -> Response[str]:
    async with db.transaction():
        was = versions.chosen(await gone(), data.audit).values
        if was["queue"] not in await queues.names():
            was["queue"] = None
        again = was | {"position": await versions.last_place(SavedOffer)}
        await settings.make(agent_of(request), SavedOffer, again)
    return settings.leave_for("/settings/offers")


# ---- as a table ------------------------------------------------------------------------------------------


@get("/settings/offers/table", guards=[may("manage_presets")])
async def export() -> Response[bytes]:
    rows = [
        (each.title, each.language, each.queue, "yes" if each.several else "", *each.options)
        for each in await all_offers()
    ]
    return spreadsheets.download("offers", COLUMNS, rows)


@post("/settings/offers/table", guards=[may("manage_presets")], status_code=200)
async def take_table(
    request: Request[Any, Any, Any],
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> Response[str]:
    """Each line by itself: what is right is taken, what is wrong is told."""
    try:
        lines = spreadsheets.read(await data["table"].read(), COLUMNS) if "table" in data else []
    except spreadsheets.Unreadable as problem:
        return html(swap("#report", spreadsheets.ui.unreadable(str(problem))), status_code=422)
    there = await queues.names()
    told = [await take(agent_of(request), at, line, there) for at, line in lines]
    return html(swap("#report", spreadsheets.ui.report(told)), swap("#offers", ui.table(await all_offers())))


async def take(person: Person, at: int, line: dict[str, str], there: dict[int, str]) -> Told:
    """One with the same title in the same language is changed. In a transaction of its own: conversations go
    on between two lines of a long table."""
    options = "\n".join(line[f"option{n}"] for n in range(1, MOST + 1))
    several = "yes" if line["several"].lower() in YES else ""
    form = OfferForm(line["title"], options, several, line["language"] or "nl")
    form.queue = settings.id_of(line["queue"], there)
    errors = problems_with(form, there)
    if line["queue"] and not form.queue:
        errors["queue"] = _("There is no queue “%(name)s”.") % {"name": line["queue"]}
    if errors:
        return Told(at, "refused", " ".join(errors.values()))
    same = (SavedOffer.title == values(form)["title"]) & (SavedOffer.language == form.language)
    async with db.transaction():
        row = await SavedOffer.select().where(same).first()
        if row is None:
            await add(person, form)
            return Told(at, "added", form.title)
        changed = await settings.change(person, SavedOffer, row["id"], row["version"], values(form))
    return Told(at, "changed" if changed else "same", form.title)


# ---- reading and judging ---------------------------------------------------------------------------------


async def all_offers() -> list[Listed]:
    columns = SavedOffer.id, SavedOffer.title, SavedOffer.options, SavedOffer.several, SavedOffer.language
    rows = await (
        SavedOffer.select(*columns, SavedOffer.queue.name.as_alias("queue"))
        .order_by(SavedOffer.position)
        .order_by(SavedOffer.id)
    )
    return [
        Listed(**{**row, "options": json.loads(row["options"]), "queue": row["queue"] or ""}) for row in rows
    ]


async def form_of(offer: int) -> OfferForm:
    row = await SavedOffer.select().where(SavedOffer.id == offer).first()
    if row is None:
        raise NotFoundException
    return OfferForm(
        row["title"],
        "\n".join(json.loads(row["options"])),
        "yes" if row["several"] else "",
        row["language"],
        str(row["queue"] or ""),
        str(row["version"]),
    )


async def choices() -> dict[str, list[tuple[str, str]]]:
    """What the form offers to choose from."""
    return {
        "language": [(code, language_name(code)) for code in LANGUAGES],
        "queue": [("", _("All queues")), *((str(id), name) for id, name in (await queues.names()).items())],
    }


async def earlier(offer: int) -> list[State]:
    now_there = values(await form_of(offer))
    words = {name: now_there[name] for name in ("title", "options", "several")}
    return await versions.before(SavedOffer, offer, words)


async def gone() -> list[State]:
    return await versions.deleted(SavedOffer, KEPT)


def options_of(form: OfferForm) -> list[str]:
    return [option for line in form.options.splitlines() if (option := offers.one_line(line))]


def values(form: OfferForm) -> dict[str, Any]:
    return {
        "title": offers.one_line(form.title),
        "options": json.dumps(options_of(form), ensure_ascii=False),
        "several": bool(form.several),
        "language": form.language,
        "queue": int(form.queue) if form.queue else None,
    }


def problems_with(form: OfferForm, there: dict[int, str]) -> dict[str, str]:
    errors = {}
    title, options = offers.one_line(form.title), options_of(form)
    if not title:
        errors["title"] = _("Write what the visitor chooses about.")
    elif len(title) > TITLE_LENGTH:
        errors["title"] = settings.too_long(len(title), TITLE_LENGTH)
    longest = max(options, key=len, default="")
    if not FEWEST <= len(options) <= MOST:
        errors["options"] = _("Give 2 to 10 options.")
    elif len(set(options)) < len(options):
        errors["options"] = _("This option is there already.")
    elif len(longest) > OPTION_LENGTH:
        errors["options"] = f"“{longest[:30]}…”: {settings.too_long(len(longest), OPTION_LENGTH)}"
    if form.language not in LANGUAGES:
        errors["language"] = _("Choose a language.")
    if form.queue and not (form.queue.isdecimal() and int(form.queue) in there):
        errors["queue"] = _("Choose from the list.")
    return errors


routes: list[Any] = [
    index,
    blank,
    edit,
    create,
    save,
    destroy,
    move,
    bring_back,
    return_deleted,
    export,
    take_table,
]

ui = template("""
{% from "components.html" import button, checkbox, empty, field, icon_button, select_field, textarea_field %}
{% import "settings" as settings %}
{% import "spreadsheets" as spreadsheets %}
{% import "versions" as versions %}

{% macro page(person, offers, gone) %}
{% call settings.page(person, _("Saved offers"), _("Menus of options that agents put before a visitor with one press."), "/settings/offers", wide=true) %}
<div class="actions">
  {{ button(_("Add saved offer"), "primary", "plus", attrs={"href": "/settings/offers/new"}) }}
  {{ button(_("Download as a table"), "secondary", "download", attrs={"href": "/settings/offers/table"}) }}
</div>
{% if offers | length > 8 %}<input class="input" type="search" data-narrows="offers" aria-label="{{ _("Search saved offers") }}" placeholder="{{ _("Search saved offers") }}" autocomplete="off">{% endif %}
{{ table(offers) }}
<p class="soft" id="offers-none" hidden>{{ _("No saved offer matches.") }}</p>
{{ versions.gone(gone, "/settings/offers/return") }}
{{ spreadsheets.taking("/settings/offers/table", _("A CSV file with the columns %(names)s. One with the same title and language is changed; the others are added. Nothing is deleted.", names="title; language; queue; several; option1 … option10")) }}
{% endcall %}
{% endmacro %}

{% macro table(offers) %}
<div id="offers">
  {% if offers %}
  <table class="cards-on-phone" aria-labelledby="page-title">
    <thead><tr><th scope="col">{{ _("Title") }}</th><th scope="col">{{ _("Options") }}</th><th scope="col">{{ _("For") }}</th><th scope="col"><span class="visually-hidden">{{ _("Order") }}</span></th></tr></thead>
    <tbody>
      {% for offer in offers %}
      <tr data-row id="offer-{{ offer.id }}">
        <th scope="row"><a href="/settings/offers/{{ offer.id }}">{{ offer.title }}</a></th>
        <td data-label="{{ _("Options") }}" lang="{{ offer.language }}"><span>{{ offer.options | join(" · ") }}{% if offer.several %} <span class="soft small">({{ _("Several may be chosen") }})</span>{% endif %}</span></td>
        <td data-label="{{ _("For") }}"><span>{{ offer.language | language_name }}{% if offer.queue %} · <span translate="no">{{ offer.queue }}</span>{% endif %}</span></td>
        <td class="number">{{ versions.movers(offer.id, offer.title, "/settings/offers/" ~ offer.id ~ "/position", loop.first, loop.last) }}</td>
      </tr>
      {% endfor %}
    </tbody>
  </table>
  {% else %}
  {{ empty(_("No saved offers yet"), _("A question with 2 to 10 answers to choose from, such as “What is it about?”"), "list") }}
  {% endif %}
</div>
{% endmacro %}

{% macro edit_page(person, id, offer, choices, states) %}
{% call settings.page(person, offer.title if id else _("Add saved offer"), _("A change touches none that was put before a visitor."), "/settings/offers", back=("/settings/offers", _("Saved offers"))) %}
{{ form(id, offer, choices) }}
{% if id %}
{{ earlier(id, states) }}
<section class="stack danger-zone">
  <h2 class="title">{{ _("Delete") }}</h2>
  <p class="soft">{{ _("It can be brought back from the list.") }}</p>
  <div class="actions">{{ button(_("Delete saved offer"), "secondary", "trash-2", attrs={"hx-delete": "/settings/offers/" ~ id, "hx-swap": "none"}) }}</div>
</section>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro form(id, offer, choices, errors={}) %}
<form id="offer" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/offers/{{ id }}"{% else %}hx-post="/settings/offers"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Question to the visitor"), "title", offer.title, errors) }}
  {{ textarea_field(_("Options"), "options", offer.options, errors, hint=_("2 to 10, each on a line of its own.")) }}
  {{ checkbox(_("Several may be chosen"), "several", offer.several) }}
  {{ select_field(_("Language"), "language", choices.language, offer.language, errors) }}
  {{ select_field(_("Queue"), "queue", choices.queue, offer.queue, errors) }}
  {{ settings.save_bar("/settings/offers", offer.version if id else "", "" if id else _("Add saved offer")) }}
</form>
{% endmacro %}

{% macro earlier(id, states) %}
{% call(values) versions.earlier(states, "/settings/offers/" ~ id ~ "/earlier") %}
<p><strong>{{ values.title }}</strong></p>
<p>{{ values.options | from_json | join(" · ") }}</p>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
