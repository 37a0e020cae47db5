"""Spreadsheets: tables out of the desk and into it, as CSV that any spreadsheet opens as it is.

A cell that a spreadsheet would take for a formula gets an apostrophe before it, and loses it on the way
back.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response

from layouts import _, file_size, number, template

FORMULA = ("=", "+", "-", "@", "\t", "\r")
LARGEST = 1024**2  # bytes
MOST_LINES = 2_000
BOM = "\ufeff"  # by which Excel knows that it is UTF-8


class Unreadable(Exception):
    """It is no table; in words."""


@dataclass(frozen=True)
class Told:
    """What became of one line of a table."""

    line: int  # as a spreadsheet counts them: the head is 1
    what: str  # added, changed, same, refused
    words: str  # which one; or why not


def download(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response[bytes]:
    written = io.StringIO()
    table = csv.writer(written, delimiter=";")
    for row in (head, *rows):
        table.writerow([harmless(cell) for cell in row])
    return Response(
        (BOM + written.getvalue()).encode(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def harmless(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


def as_meant(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def read(data: bytes, head: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Its lines by number, each by name of column. Columns may stand in any order; one that is not there is
    empty."""
    if len(data) > LARGEST:
        raise Unreadable(_("The file is larger than %(size)s.") % {"size": file_size(LARGEST)})
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(_("The file is not UTF-8 text. Save it as “CSV UTF-8”.")) from None
    text = text.replace("\0", "")
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        raise Unreadable(_("The file cannot be read as a table.")) from None
    names = [name.strip().lower() for name in lines[0]] if lines else []
    if not names or head[0] not in names:
        raise Unreadable(_("The first line has to name the columns: %(names)s.") % {"names": ", ".join(head)})
    if len(lines) > MOST_LINES:
        raise Unreadable(_("At most %(n)s lines at a time.") % {"n": number(MOST_LINES)})
    found = []
    for at, cells in enumerate(lines[1:], 2):
        if any(cell.strip() for cell in cells):
            row = dict(zip(names, map(as_meant, cells), strict=False))
            found.append((at, {name: row.get(name, "").strip() for name in head}))
    return found


ui = template("""
{% from "components.html" import button, notice %}

{# Where a table is handed in, and what became of it is told. #}
{% macro taking(url, words) %}
<section class="stack danger-zone" aria-labelledby="import-title">
  <h2 class="title" id="import-title">{{ _("Take over a table") }}</h2>
  <p class="soft">{{ words }}</p>
  <form class="actions" method="dialog" hx-post="{{ url }}" hx-encoding="multipart/form-data" hx-swap="none">
    <input class="input file-input" type="file" name="table" accept=".csv,text/csv" required aria-label="{{ _("CSV file") }}">
    {{ button(_("Take over"), "secondary", type="submit") }}
  </form>
  <div id="report" role="status"></div>
</section>
{% endmacro %}

{# What became of a table that was taken over; the lines that were not come first. #}
{% macro report(told) %}
<div id="report" role="status">
{% set refused = told | selectattr("what", "equalto", "refused") | list %}
{% set added = told | selectattr("what", "equalto", "added") | list | length %}
{% set changed = told | selectattr("what", "equalto", "changed") | list | length %}
{{ notice("warning" if refused or not told else "success", _("%(added)s added, %(changed)s changed, %(refused)s not taken over, of %(all)s.", added=added, changed=changed, refused=refused | length, all=told | length)) }}
{% if told %}
<table class="cards-on-phone" aria-label="{{ _("Result") }}">
  <thead><tr><th scope="col">{{ _("Line") }}</th><th scope="col">{{ _("Result") }}</th><th scope="col">{{ _("What") }}</th></tr></thead>
  <tbody>
    {% for each in refused + (told | rejectattr("what", "equalto", "refused") | list) %}
    <tr><th scope="row">{{ each.line }}</th>
      <td data-label="{{ _("Result") }}">{{ {"added": _("added"), "changed": _("changed"), "same": _("as it was"), "refused": _("not taken over")}[each.what] }}</td>
      <td data-label="{{ _("What") }}">{{ each.words }}</td></tr>
    {% endfor %}
  </tbody>
</table>
{% endif %}
</div>
{% endmacro %}

{% macro unreadable(words) %}
<div id="report" role="status">{{ notice("error", words) }}</div>
{% endmacro %}
""")  # noqa: E501
