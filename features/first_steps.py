"""First steps: what the steps of `start` ask, with believable answers filled in, and how each is saved: by
the verbs of the pages on which it can be changed later. No URLs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from litestar.datastructures import FormMultiDict
from msgspec import Struct, structs

import db
import layouts
from db.tables import OpeningHours, Queue, Widget
from features import (
    calendars,
    desk,
    opening_days,
    organisation,
    people,
    profile_page,
    profiles,
    queues,
    roles,
    settings,
    week,
    widget_settings,
)
from features.access import Person
from features.organisation import DeskForm
from features.queues import QueueForm
from features.week import Row, WeekForm
from layouts import _

WORKDAYS = 5
UNNAMED = "Balie"  # what a desk is called that nobody has given a name
COUNTRIES: dict[str, Callable[[], str]] = {"BE": lambda: _("Belgium"), "NL": lambda: _("the Netherlands")}


class QueueStep(Struct):
    """The desk itself, and its first queue."""

    desk: str = ""
    language: str = ""
    name: str = ""
    version: str = ""  # of the desk

    @classmethod
    async def blank(cls) -> "QueueStep":
        now = await organisation.form_now()
        name = now.name if now.name != UNNAMED else ""
        return cls(name, layouts.language.get(), _("General"), now.version)

    async def problems(self) -> dict[str, str]:
        errors = await queues.problems_with(QueueForm(self.name), None)
        of_desk = organisation.problems_with(DeskForm(self.desk, str(desk.facts.time_zone), self.language))
        return errors | {"desk" if name == "name" else name: words for name, words in of_desk.items()}


class HoursStep(Struct):
    """Of one queue; its zone and its holidays are the desk's."""

    how: str = "weekdays"
    opens: str = "09:00"
    closes: str = "17:00"
    time_zone: str = ""
    holidays: str = ""  # BE, NL, "kept" as they are, or none
    queue: str = ""
    version: str = ""
    desk_version: str = ""

    @classmethod
    async def blank(cls) -> "HoursStep":
        """For the first queue that has no hours."""
        has = [row["queue"] for row in await OpeningHours.select(OpeningHours.queue)]
        rows = await Queue.select(Queue.id, Queue.version, Queue.always_open).order_by(Queue.id)
        row = next((row for row in rows if row["id"] not in has and not row["always_open"]), rows[0])
        now = await organisation.form_now()
        country = "NL" if now.time_zone == "Europe/Amsterdam" else "BE"
        return cls(
            time_zone=now.time_zone,
            holidays="kept" if await opening_days.kept() else country,
            queue=str(row["id"]),
            version=str(row["version"]),
            desk_version=now.version,
        )

    async def problems(self) -> dict[str, str]:
        errors = {}
        if self.how != "always" and (problem := week.problem_with(Row(self.opens, self.closes))):
            errors["opens"] = _("Fill in both times.") if not is_time(self.opens, self.closes) else problem
        if self.time_zone not in organisation.zones():
            errors["time_zone"] = _("Choose a time zone from the list.")
        return errors

    def zones(self) -> tuple[str, ...]:
        return organisation.zones()

    def countries(self) -> list[tuple[str, str]]:
        kept = [("kept", _("those that are chosen already"))] if self.holidays == "kept" else []
        return [*kept, *((code, said()) for code, said in COUNTRIES.items()), ("", _("none"))]

    def week_of(self, before: WeekForm) -> WeekForm:
        """What is not asked here stays."""
        before.always = "yes" if self.how == "always" else "no"
        before.days = [[Row(self.opens, self.closes)] if day < WORKDAYS else [] for day in range(7)]
        before.version = self.version
        return before


def is_time(*texts: str) -> bool:
    return all(week.TIME.fullmatch(text) for text in texts)


class AgentStep(Struct):
    """Who answers: whoever is asked this, or somebody new."""

    who: str = ""
    name: str = ""
    username: str = ""
    email: str = ""

    async def problems(self) -> dict[str, str]:
        """Nobody gets a permission by an answer that was not given."""
        if self.who == "other":
            return await people.problems_with(await self.person(""), None)
        return {} if self.who == "me" else {"form": _("Choose one of these.")}

    async def person(self, profile: str) -> people.PersonForm:
        language = layouts.language.get()
        return people.PersonForm(
            self.username,
            self.name,
            self.email,
            str(await people.plain_role()),
            language,
            (language,),
            (profile,) if profile else (),
        )


@dataclass
class WidgetStep:
    """The button, with a subject per queue."""

    name: str = ""
    origins: list[str] = field(default_factory=lambda: [""])

    @classmethod
    def blank(cls) -> "WidgetStep":
        return cls(desk.facts.name)

    @classmethod
    def sent(cls, form: FormMultiDict) -> "WidgetStep":
        data = widget_settings.sent(form)
        return cls(data.name, data.origins)

    async def problems(self) -> tuple[widget_settings.SetupForm, dict[str, str]]:
        """And the widget that it makes: with a subject per queue, which is asked for if there is a choice."""
        known = await queues.names()
        form = widget_settings.SetupForm(
            self.name,
            desk.facts.language,
            self.origins,
            [widget_settings.Row(queue=str(id)) for id in known],
            [each for each in widget_settings.FIELDS if each != "subject" or len(known) > 1],
        )
        errors = widget_settings.problems_with(form, known, await widget_settings.names())
        if "subjects" in errors:
            errors["form"] = _("Make a queue first.")
        return form, errors


# ---- saving, each within a transaction -------------------------------------------------------------------


async def write_queue(person: Person, data: QueueStep) -> None:
    if await Queue.exists():
        raise settings.Outdated
    now = await organisation.form_now()
    named = structs.replace(now, name=data.desk, language=data.language, version=data.version)
    await organisation.change(person, named)
    await queues.add(person, QueueForm(data.name))


async def write_hours(person: Person, data: HoursStep) -> None:
    now = await organisation.form_now()
    moved = structs.replace(now, time_zone=data.time_zone, version=data.desk_version)
    await organisation.change(person, moved)
    if data.holidays != "kept":
        version = settings.version((await organisation.form_now()).version)
        await opening_days.write_holidays(person, holidays_of(data.holidays), version)
    queue = int(data.queue)
    db.after_commit(lambda: queues.publish_change(queue))
    await week.write(person, queue, data.week_of(await week.form_of(await week.queue_row(queue))))


def holidays_of(country: str) -> set[str]:
    if country not in COUNTRIES:
        return set()
    days = calendars.days(country, opening_days.today().year)
    return {f"{country}:{day.name}" for day in days if day.group == "public"}


async def write_agent(person: Person, data: AgentStep) -> tuple[int, str]:
    """Who answers from now on, and the link for somebody new."""
    profile = await first_profile(person)
    if data.who == "other":
        return await people.add(person, await data.person(profile))
    form = await people.form_of(person.id)
    form.profiles = tuple({*form.profiles, profile})
    if "chat" not in person.permissions:
        form.role = str(await role_that_chats(person, int(form.role)))
    await people.change(person, person.id, form)
    return person.id, ""


async def first_profile(person: Person) -> str:
    """One that serves a queue; it is made if there is none."""
    known = await profiles.every()
    for each in known.values():
        if each.queues:
            return str(each.id)
    names = await queues.names()
    name = free(next(iter(names.values())), [each.name for each in known.values()])
    form = profile_page.ProfileForm(name, priorities=dict.fromkeys(names, "1"))
    return str(await profile_page.add(person, form))


async def role_that_chats(person: Person, role: int) -> int:
    """What this person may, and chat."""
    now = await roles.form_of(role)
    wanted = {*now.permissions, "chat"}
    known = await people.roles()
    for id, _title in known:
        other = await roles.form_of(id)
        if set(other.permissions) == wanted and other.second_factor == now.second_factor:
            return id
    name = free(_("%(role)s and agent") % {"role": now.name}, [title for _id, title in known])
    return await roles.add(person, roles.RoleForm(name, tuple(wanted), now.second_factor))


def free(name: str, taken: Iterable[str]) -> str:
    """With a number behind it, if there is something of that name."""
    others, n, wanted = {each.lower() for each in taken}, 2, name
    while wanted.lower() in others:
        wanted, n = f"{name} {n}", n + 1
    return wanted


async def write_widget(person: Person, form: widget_settings.SetupForm) -> None:
    if await Widget.exists():
        raise settings.Outdated
    await widget_settings.add(person, form)


routes: list[Any] = []
