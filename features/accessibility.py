"""Accessibility: the statement about who can use Balie, and whom to tell what does not work.

GET /accessibility

Its text is in layouts/prose, as that of `help`; what only this desk knows comes from the page Organisation.
"""

from datetime import date

from litestar import Response, get

import layouts
from features import desk, help
from features.access import public
from layouts import html, template

REVIEWED = date(2026, 11, 22)  # when the makers last went through the statement


@get("/accessibility", guards=[public])
async def statement() -> Response[str]:
    return html(ui.page(desk.facts, told()))


def told() -> help.Prose:
    """With what this desk has filled in."""
    found = help.prose("accessibility")
    facts = desk.facts
    filled = {
        "desk": ui.called(facts.name),
        "contact": ui.contact(facts.accessibility_contact),
        "body": ui.body(facts.accessibility_body),
        "checked": ui.checked(facts.accessibility_on),
        "reviewed": layouts.plain_date(REVIEWED),
    }
    return help.Prose(found.title, found.contents, found.body.format(**filled))


def href(contact: str) -> str:
    return contact if contact.startswith("https://") else f"mailto:{contact}"


layouts.env.globals["contact_href"] = href
routes = [statement]

ui = template("""
{% import "help" as help %}

{% macro page(desk, prose) %}
{% call help.frame(desk.name, prose.title, "/accessibility") %}
{{ help.chapters(prose) }}
{% endcall %}
{% endmacro %}

{% macro called(words) %}<span translate="no">{{ words }}</span>{% endmacro %}

{% macro contact(words) %}
{% if words %}<a href="{{ contact_href(words) }}">{{ words }}</a>{% else %}{{ lacking() }}{% endif %}
{% endmacro %}

{% macro body(words) %}
{% if words.startswith("https://") %}<a href="{{ words }}">{{ words }}</a>{% elif words %}{{ words }}{% else %}{{ lacking() }}{% endif %}
{% endmacro %}

{% macro checked(on) %}
{% if on %}{{ on | written_date }}{% else %}{{ lacking() }}{% endif %}
{% endmacro %}

{% macro lacking() %}<em>{{ _("not filled in yet by this organisation") }}</em>{% endmacro %}
""")  # noqa: E501
