"""Widget looks: the colours and the place of a widget's button, and how all of it looks in every state.

GET /settings/widgets/{id}/looks
PUT /settings/widgets/{id}/looks
GET /settings/widgets/{id}/window    the window as it will be, where nothing is sent
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from litestar import Request, Response, get, put
from litestar.params import FromPath, FromQuery
from markupsafe import Markup

import db
import layouts
from db.clock import now
from db.tables import Widget
from features import arrival, button, colours, desk, settings, themes, widget, widget_settings
from features.access import agent_of, may
from features.arrival import Details
from features.messages import Line
from features.visit import Attending, Facts
from features.widget import WidgetFacts
from layouts import _, best_language, html, template

STAGES = ("form", "waiting", "talk")
PLACES = ("clear_bottom", "clear_right")
FARTHEST = 300  # the window still has room there


@dataclass
class LooksForm:
    """`colours`: by name, such as green_light; `places`: what is kept free, by side."""

    colours: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    version: str = ""


@get("/settings/widgets/{id:int}/looks", guards=[may("manage_widgets")])
async def show(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found = await widget_settings.widget_by_id(id)
    said = button.texts(found.button)
    return html(ui.page(agent_of(request), found, form_of(found), said, desk.facts.name))


@put("/settings/widgets/{id:int}/looks", guards=[may("manage_widgets")], status_code=200)
async def save(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found, sent = await widget_settings.widget_by_id(id), await request.form()
    given = {name: str(sent.get(name, "")).strip().lower() for name in standard()}
    places = {name: str(sent.get(name, "")).strip() or "0" for name in PLACES}
    data = LooksForm(given, places, str(sent.get("version", "")))
    if errors := problems_with(data):
        return html(ui.form(found, data, errors), status_code=422)
    try:
        async with db.transaction():
            version = settings.version(data.version)
            await settings.change(agent_of(request), Widget, id, version, values(data))
            db.after_commit(partial(widget_settings.changed, id))
    except settings.Outdated:
        data.version = str((await widget_settings.widget_by_id(id)).version)
        return html(ui.form(found, data, {"form": await settings.outdated(Widget, id)}), status_code=409)
    found = await widget_settings.widget_by_id(id)
    return html(ui.form(found, form_of(found), {}), settings.saved())


# ---- colours ---------------------------------------------------------------------------------------------


def standard() -> dict[str, str]:
    """Ours, or what the house style of the desk has instead."""
    return by_name(colours.STANDARD | themes.shades())


def by_name(shades: colours.Shades) -> dict[str, str]:
    """{"green": (light, dark)} → {"green_light": …, "green_dark": …}"""
    return {
        f"{name}_{scheme}": shade
        for name, pair in shades.items()
        for scheme, shade in zip(colours.SCHEMES, pair, strict=True)
    }


def form_of(found: WidgetFacts) -> LooksForm:
    places = {name: str(getattr(found, name)) for name in PLACES}
    return LooksForm(standard() | by_name(found.colours), places, str(found.version))


def values(data: LooksForm) -> dict[str, Any]:
    """The standard ones are not kept: they may become better."""
    own = {
        name: [data.colours[f"{name}_{scheme}"] for scheme in colours.SCHEMES] for name in colours.STANDARD
    }
    places = {name: int(pixels) for name, pixels in data.places.items()}
    return {"colours": json.dumps(own if data.colours != standard() else {}), **places}


def problems_with(data: LooksForm) -> dict[str, str]:
    errors = {}
    for name, colour in data.colours.items():
        if not colours.HEX.fullmatch(colour):
            errors[name] = _("A colour in six digits, such as #1a7f3c.")
        elif (found := colours.weakest(colour, name.partition("_")[2])) < colours.LEAST:
            found = int(found * 10) / 10  # 4.46 is not 4.5
            errors[name] = _("Contrast %(found)s : 1. At least %(least)s : 1 is needed to read it.") % {
                "found": layouts.number(found),
                "least": layouts.number(colours.LEAST),
            }
    for name, pixels in data.places.items():
        if not settings.whole_number(pixels, 0, FARTHEST):
            errors[name] = _("A whole number from %(least)s to %(most)s.") % {
                "least": layouts.number(0),
                "most": layouts.number(FARTHEST),
            }
    return errors


# ---- the window as it will be ----------------------------------------------------------------------------


@get("/settings/widgets/{id:int}/window", guards=[may("manage_widgets")])
async def window(
    id: FromPath[int], stage: FromQuery[str] = "form", lang: FromQuery[str] = ""
) -> Response[str]:
    found = await widget_settings.widget_by_id(id)
    layouts.language.set(best_language(lang, found.language))
    stage = stage if stage in STAGES else STAGES[0]
    drawn = await before_chat(found) if stage == "form" else Markup("")
    facts = {
        "form": Facts("none"),
        "waiting": Facts("waiting", outlook="line", place=2),
        "talk": Facts("active", begun=True, agents=(Attending("An", True),)),
    }[stage]
    page = ui.window(found, desk.facts.name, facts, drawn, sample() if stage == "talk" else [])
    policy = widget.POLICY.format("'self'")
    return html(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


async def before_chat(found: WidgetFacts) -> Markup:
    served = await widget.subjects(found.id)
    if not found.form:
        return arrival.ui.start_panel(found, True)
    choices = [(each.id, each.label) for each in served]
    return arrival.ui.panel(found, arrival.asked(found, None), choices, Details(), None)


def sample() -> list[Line]:
    said = [
        ("agent", "An", _("Good morning, what can I do for you?")),
        ("visitor", "", _("I have a question about my application.")),
    ]
    return [
        Line(
            0,
            f"sample-{at}",
            at,
            "text",
            author,
            None,
            name,
            Markup.escape(words),
            moment(at),
            {},
            None,
            False,
            False,
        )
        for at, (author, name, words) in enumerate(said, start=1)
    ]


def moment(at: int) -> Any:
    return now() - timedelta(minutes=3 - at)


routes: list[Any] = [show, save, window]
layouts.env.globals["colour_grounds"] = lambda scheme: " ".join(
    colours.GROUNDS[colours.SCHEMES.index(scheme)]
)
layouts.env.globals["standard_colours"] = standard

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import button, field, icon, icon_button, remarks, select_field %}
{% import "messages" as messages %}
{% import "settings" as settings %}
{% import "visit" as visit %}
{% import "widget" as shown %}
{% import "widget_settings" as widgets %}

{% macro page(person, widget, data, said, desk) %}
{% call widgets.frame(person, widget, "looks", _("The colours of your house style, if they can be read, and how everything looks with them.")) %}
{{ form(widget, data) }}
{{ preview(widget, said) }}
{% endcall %}
{% endmacro %}

{% macro form(widget, data, errors={}) %}
<form id="looks" class="stack" method="dialog" data-guard hx-put="/settings/widgets/{{ widget.id }}/looks" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  <p class="soft">{{ _("Light pages carry white letters on these colours, dark pages nearly black ones.") }}</p>
  <div class="two-columns">
    {% for name, words in [("green_light", _("Somebody is free, on light pages")), ("green_dark", _("Somebody is free, on dark pages")), ("blue_light", _("Nobody is free, links and buttons, on light pages")), ("blue_dark", _("Nobody is free, links and buttons, on dark pages"))] %}
    <div class="field">
      <label for="{{ name }}">{{ words }}</label>
      <div class="row-line">
        <input class="swatch" type="color" value="{{ data.colours[name] if not errors.get(name) else standard_colours()[name] }}" data-picks="{{ name }}" aria-label="{{ _("Pick: %(name)s", name=words) }}">
        <input class="input short" id="{{ name }}" name="{{ name }}" value="{{ data.colours[name] }}" maxlength="7" spellcheck="false" autocomplete="off" data-colour="{{ name }}" data-standard="{{ standard_colours()[name] }}" data-grounds="{{ colour_grounds(name.split("_")[1]) }}" aria-describedby="{{ name }}-ratio{% if name in errors %} {{ name }}-error{% endif %}"{% if name in errors %} aria-invalid="true"{% endif %}>
        <output class="ratio" id="{{ name }}-ratio" for="{{ name }}" data-good="{{ _("%(ratio)s : 1, readable", ratio="{ratio}") }}" data-bad="{{ _("%(ratio)s : 1, too weak", ratio="{ratio}") }}"></output>
      </div>
      {{ remarks(name, name, "", errors) }}
    </div>
    {% endfor %}
  </div>
  <div class="actions">{{ button(_("Standard colours"), "quiet", "undo-2", attrs={"data-standard-colours": true}) }}</div>
  <fieldset class="stack">
    <legend class="legend">{{ _("Place of the button") }}</legend>
    <p class="soft">{{ _("At the bottom right. If your site has something of its own there, such as a cookie bar, keep room for it. A page can say otherwise for itself: data-offset.") }}</p>
    <div class="two-columns">
      {{ field(_("Free at the bottom, in pixels"), "clear_bottom", data.places.clear_bottom, errors, attrs={"inputmode": "numeric", "maxlength": 3, "class": "short"}) }}
      {{ field(_("Free at the right, in pixels"), "clear_right", data.places.clear_right, errors, attrs={"inputmode": "numeric", "maxlength": 3, "class": "short"}) }}
    </div>
  </fieldset>
  {{ settings.save_bar("/settings/widgets", data.version) }}
</form>
{% endmacro %}

{# Drawn with what stands in the form, saved or not. #}
{% macro preview(widget, said) %}
<section class="stack" aria-labelledby="preview-title" id="preview" data-window="/settings/widgets/{{ widget.id }}/window" data-card="/widget/{{ widget.key }}/info">
  <h2 class="title" id="preview-title">{{ _("Preview") }}</h2>
  <div class="two-columns">
    {{ select_field(_("Language"), "preview_language", language_names().items(), widget.language) }}
    {{ select_field(_("Page"), "preview_scheme", [("light", _("Light")), ("dark", _("Dark"))], "light") }}
  </div>
  {% for code, words in said.items() %}
  <ul class="drawn-buttons" data-language="{{ code }}" lang="{{ code }}"{% if code != widget.language %} hidden{% endif %}>
    {% for look, sign in [("green", "message-square-text"), ("info", "info"), ("back", "message-square-text"), ("wait", "clock"), ("away", "refresh-cw")] %}
    <li><span class="drawn-button {{ look }}">{{ icon(sign) }}<span>{{ words[look] }}</span></span></li>
    {% endfor %}
  </ul>
  {% endfor %}
  <div class="drawn-windows">
    {% for name, words, src in [("form", _("Before the chat"), "/settings/widgets/" ~ widget.id ~ "/window?stage=form&lang=" ~ widget.language), ("waiting", _("In the queue"), "/settings/widgets/" ~ widget.id ~ "/window?stage=waiting&lang=" ~ widget.language), ("talk", _("In conversation"), "/settings/widgets/" ~ widget.id ~ "/window?stage=talk&lang=" ~ widget.language), ("card", _("Information page"), "/widget/" ~ widget.key ~ "/info?lang=" ~ widget.language)] %}
    <figure>
      <figcaption class="soft small">{{ words }}</figcaption>
      <iframe class="drawn-window" src="{{ src }}" title="{{ _("Preview") }}: {{ words }}" tabindex="-1" inert></iframe>
    </figure>
    {% endfor %}
  </div>
</section>
{% endmacro %}

{# As the chat's own page; without scripts, so that nothing is sent. #}
{% macro window(widget, desk, facts, panel, lines) %}
{% call document(desk, "window") %}
{{ shown.own_colours(widget) }}
<header class="window-head">
  <div class="window-title">
    <h1 translate="no">{{ desk }}</h1>
    {{ visit.status_line(facts) }}
  </div>
  <div class="window-actions">
    {{ icon_button("minus", _("Minimise")) }}
    {{ icon_button("x", _("End conversation")) }}
  </div>
</header>
<main class="window-body" id="window">
  {{ visit.state(facts) }}
  {{ panel }}
  <div class="conversation">
    {{ visit.waiting(facts) }}
    {{ visit.conversation(lines) }}
    <form class="textbar" method="dialog">
      <div class="textbar-row">
        {{ icon_button("paperclip", _("Add attachment")) }}
        <div class="textbar-box"><textarea rows="1" aria-label="{{ _("Your message") }}" placeholder="{{ _("Your message") }}"></textarea></div>
        {{ button(_("Send"), "primary") }}
      </div>
    </form>
  </div>
</main>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
