"""Alerts: what supervisors are told at once, on their console, wherever they are in it.

So far: a request that nobody answered has left a queue with nobody.
"""

from typing import Any

from markupsafe import Markup

import db
from db.clock import now
from features import hours, live, queues, routing
from layouts import swap, template

TOPIC = "supervisors"

DESERTED = (
    "SELECT mine.queue FROM readiness JOIN profile_queue AS mine ON mine.profile = readiness.profile"
    " WHERE readiness.agent = {} AND mine.queue NOT IN"
    " (SELECT theirs.queue FROM readiness AS other"
    " JOIN profile_queue AS theirs ON theirs.profile = other.profile WHERE other.ready AND other.here)"
)


class QueueDeserted(live.Event, frozen=True):
    """Nobody is ready for an open queue any more, because a request was not answered."""

    queue: int


@routing.told("paused")
async def look_for_deserted(step: routing.StepFacts) -> None:
    if step.data.get("reason") != "not_answered":
        return
    open_queues = await hours.open_queues(now())
    for row in await db.sql(DESERTED, step.agent):
        if row["queue"] in open_queues:
            event = QueueDeserted(row["queue"])
            db.after_commit(lambda event=event: live.publish(TOPIC, event))  # type: ignore[misc]


@live.on(QueueDeserted, page="console")
async def redraw_notices(viewer: Any, event: QueueDeserted) -> Markup | None:
    return swap("#notices", ui.deserted(await queues.name_of(event.queue)), "beforeend")


ui = template("""
{% from "components.html" import notice %}

{% macro deserted(queue) %}
{% call notice("warning", _("A request was not answered, and nobody is available for %(queue)s any more.", queue=queue), attrs={"role": "alert"}) %}
<button type="button" class="link" data-dismiss>{{ _("Dismiss") }}</button>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
