"""Lacking: what the button of a queue still lacks to be green, in words, and where to do something about it.

It judges as the hours and routing do, and looks for itself: with nobody there, nothing is routed. No URLs.
"""

from dataclasses import dataclass
from typing import Any

import layouts
from db.clock import now
from db.settings import settings as environment
from features import hours, opening, people, profiles, routing
from features.access import Person
from features.people import Listed
from layouts import _

MOST_NAMES = 5


@dataclass(frozen=True)
class Standing:
    """Green, or what comes first on the way there."""

    green: bool
    words: str
    path: str = ""  # where to go, with `label` on the button
    label: str = ""
    elsewhere: bool = False  # in a window beside this page


async def standing(person: Person, queue: int, name: str) -> Standing:
    """As this person is told."""
    at = now()
    verdict = await hours.verdict(queue, at)
    if not verdict.open:
        line = opening.Line(queue, name, verdict, hours.next_change(await of(queue), at, layouts.zone))
        words = f"{opening.why(verdict)}. {opening.changes(line, at)}".strip()
        return Standing(False, words, f"/settings/hours/{queue}", _("Change hours"))
    if await routing.is_green(queue):
        return Standing(True, _("Somebody is available: visitors can chat with you now."))
    return of_people(person, await answerers(queue))


async def of(queue: int) -> hours.Hours:
    return (await hours.of_queues(now())).get(queue, hours.Hours())


def of_people(person: Person, able: list[Listed]) -> Standing:
    here = [each for each in able if each.state in ("ready", "paused")]
    if any(each.state == "ready" for each in here):
        return Standing(False, _("Everybody who is available has as many conversations as fit."))
    console = ("/console", _("To the console"), True)
    if person.id in [each.id for each in here]:
        return Standing(False, _("You are signed in, but not available yet. Choose “Available”."), *console)
    if here:
        return Standing(False, _("%(names)s: signed in, but not available yet.") % {"names": named(here)})
    if not able:
        words = _("Nobody can answer yet: no agent has a profile with this queue.")
        return Standing(False, words, "/settings/start?step=3", _("Who answers?"))
    if person.id in [each.id for each in able]:
        return Standing(
            False, _("Nobody is available yet. Open the console, and choose “Available”."), *console
        )
    url = f"{environment.url}/console"
    if coming := [each for each in able if each.state != "invited"]:
        words = _("Nobody is available yet. Ask %(names)s to sign in at %(url)s and to choose “Available”.")
        return Standing(False, words % {"names": named(coming), "url": url})
    words = _("%(names)s: invited, but without a password yet. The link that you were given makes one.")
    return Standing(False, words % {"names": named(able)})


def named(found: list[Listed]) -> str:
    return layouts.all_of(each.name for each in found[:MOST_NAMES])


async def answerers(queue: int | None = None) -> list[Listed]:
    """Who may chat, and has a profile with this queue, or with any."""
    serving = {
        each.name
        for each in (await profiles.every()).values()
        if any(queue in (None, served.queue) for served in each.queues)
    }
    return [
        each
        for each in await people.everybody()
        if each.may_chat and each.state != "inactive" and serving & set(each.profiles)
    ]


routes: list[Any] = []
