"""Masks: what a visitor wrote as the desk's side sees it, with the numbers in it hidden. No URLs.

Which they are was decided when it was written (`numbers`). The visitor's own window and papers never come
here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from markupsafe import Markup

from features import numbers
from features.links import linked
from layouts import template

WORDS = ("text", "files")  # kinds of messages that somebody typed


def spans_in(row: dict[str, Any]) -> tuple[numbers.Span, ...]:
    """Of what a visitor wrote; what an agent writes stays as it is."""
    if row["author"] != "visitor" or row["kind"] not in WORDS:
        return ()
    return numbers.spans_of(row["numbers"], row["body"])


def hiding(body: str, spans: Iterable[numbers.Span], draw: Callable[[str], Markup] = linked) -> Markup:
    pieces, at = [], 0
    for start, end, kind in spans:
        mask = ui.mask(numbers.masked(body[start:end], kind), kind)
        pieces += [draw(body[at:start]), mask.strip()]
        at = end
    return Markup("").join([*pieces, draw(body[at:])])


def told(row: dict[str, Any]) -> str:
    """In plain words."""
    return numbers.hidden(row["body"], spans_in(row))


def guarded(chat: int, seq: int, body: Markup, kinds: Sequence[str]) -> Markup:
    """A body with what shows its numbers."""
    return ui.guarded(chat, seq, body, kinds).strip()


routes: list[Any] = []

ui = template("""
{% macro mask(seen, kind) %}
<span class="hidden-number" title="{{ number_hidden_words(kind) }}" translate="no"><span aria-hidden="true">{{ seen }}</span><span class="visually-hidden">{{ number_hidden_words(kind) }}</span></span>
{% endmacro %}

{# A body with hidden numbers, and what shows them. What has been shown stays so, whatever is drawn again around it. #}
{% macro guarded(chat, seq, body, kinds) %}
<span class="guarded" hx-morph-skip>{{ inside(chat, seq, body, kinds) | trim }}</span>
{% endmacro %}

{% macro inside(chat, seq, body, kinds, shown=false) %}
<span>{{ body }}</span> <button type="button" class="link no-print" name="shown" value="{{ "" if shown else "yes" }}" hx-post="/chats/{{ chat }}/messages/{{ seq }}/numbers" hx-target="closest .guarded" hx-swap="innerMorph">{{ _("Hide") if shown else _("Show") }}<span class="visually-hidden"> {{ numbers_called(kinds) }}</span></button>
{% endmacro %}
""")  # noqa: E501
