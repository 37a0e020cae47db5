"""Widget trial: a page of our own with the button on it, to see it work before it stands on a site.

GET /settings/widgets/{id}/trial
"""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from features import desk, widget_settings
from features.access import agent_of, may
from layouts import html, template


@get("/settings/widgets/{id:int}/trial", guards=[may("manage_widgets")])
async def trial(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found = await widget_settings.widget_by_id(id)
    return html(ui.page(agent_of(request), desk.facts.name, found))


routes = [trial]

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import icon %}

{% macro page(person, desk, widget) %}
{% call document(_("Trial page") ~ " · " ~ desk, "settings") %}
<header class="topbar">
  <p class="wordmark">{{ icon("messages-square") }}Balie</p>
  <p class="soft settings-desk" translate="no">{{ desk }}</p>
</header>
<main class="trial-page stack" id="main">
  <a class="settings-back" href="/settings/widgets/{{ widget.id }}">{{ icon("arrow-left") }}<span translate="no">{{ widget.name }}</span></a>
  <h1 class="display">{{ _("This is how it looks on your site") }}</h1>
  <p>{{ _("The button is at the bottom of this page. Press it, and ask something, as a visitor would: whoever is available gets the question.") }}</p>
  <p class="soft">{{ _("Only people who manage widgets see this page. The chat is a real one: it is kept in the log.") }}</p>
  <div class="trial-lines" aria-hidden="true"><span></span><span></span><span></span><span></span></div>
</main>
<script async src="/embed.js" data-widget="{{ widget.key }}"></script>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
