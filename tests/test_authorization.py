"""Every route, walked by everybody: what each gets, and that nobody gets what is another's."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from db.tables import Chat, Offer, Profile, Reservation
from tests import scenes
from tests.conftest import Desk
from tests.people import Person, Visitor, new_key
from tests.test_conventions import routes

# Jef talks with An; Marie waits, and An is being asked. Who walks: nobody, Jef (visitor), Marie (stranger),
# An (agent), Bram (other), Eva (supervisor), the admin. Each walks the lines in this order.
TABLE = """
                                                nobody visitor stranger agent other supervisor admin
GET    /demo                                       200     200      200   200   200        200   200
GET    /demo/2                                     200     200      200   200   200        200   200
GET    /demo/token                                 404     404      404   404   404        404   404
GET    /                                           302     302      302   302   302        302   302
GET    /health                                     200     200      200   200   200        200   200
HEAD   /health                                     200     200      200   200   200        200   200
HEAD   /health/live                                200     200      200   200   200        200   200
HEAD   /health/ready                               200     200      200   200   200        200   200
GET    /help                                       200     200      200   200   200        200   200
GET    /help/{manual:str}                          200     200      200   200   200        200   200
GET    /accessibility                              200     200      200   200   200        200   200
GET    /.well-known/security.txt                   404     404      404   404   404        404   404
GET    /health/live                                200     200      200   200   200        200   200
GET    /health/ready                               200     200      200   200   200        200   200
GET    /metrics                                    404     404      404   404   404        404   404
GET    /embed.js                                   200     200      200   200   200        200   200
GET    /static/{file_path:path}                    200     200      200   200   200        200   200
HEAD   /static/{file_path:path}                    200     200      200   200   200        200   200
GET    /widget/{key:str}                           200     200      200   200   200        200   200
GET    /widget/{key:str}/info                      200     200      200   200   200        200   200
GET    /widget/{key:str}/theme.css                 200     200      200   200   200        200   200
GET    /widget/{key:str}/status                    200     200      200   200   200        200   200
GET    /guide/{key:str}                            200     200      200   200   200        200   200
GET    /guide/{key:str}/token                      200     200      200   200   200        200   200
POST   /guide/{key:str}/token                      422     422      422   422   422        422   422
GET    /first-admin/{token:str}                    404     404      404   404   404        404   404
POST   /first-admin/{token:str}                    404     404      404   404   404        404   404
POST   /session                                    422     422      422   422   422        422   422
GET    /chat                                       401     200      200   401   401        401   401
GET    /chat/stream                                401     200      200   401   401        401   401
POST   /chat/hold                                  401     200      200   401   401        401   401
PATCH  /chat/hold                                  401     200      200   401   401        401   401
POST   /chat                                       401     200      200   401   401        401   401
POST   /chat/messages                              401     200      200   401   401        401   401
POST   /chat/typing                                401     204      204   401   401        401   401
POST   /chat/read                                  401     204      204   401   401        401   401
POST   /chat/beat                                  401     204      404   401   401        401   401
POST   /chat/files                                 401     400      400   401   401        401   401
GET    /chat/files                                 401     200      200   401   401        401   401
GET    /chat/files/{file:int}                      401     404      404   401   401        401   401
DELETE /chat/files/{file:int}                      401     204      204   401   401        401   401
GET    /console                                    200     200      200   200   200        200   403
GET    /console/stream                             401     401      401   200   200        200   403
POST   /console/beat                               401     401      401   204   404        404   403
GET    /session/profile                            401     401      401   200   200        200   403
POST   /session/profile                            401     401      401   200   200        200   403
PUT    /readiness                                  401     401      401   200   200        200   403
POST   /chats/{chat:int}/messages                  401     401      401   200   404        404   403
GET    /chats/{chat:int}/offers                    401     401      401   200   404        404   403
POST   /chats/{chat:int}/offers                    401     401      401   200   404        404   403
POST   /chats/{chat:int}/private-messages          401     401      401   200   404        404   403
GET    /chats/{chat:int}/presets                   401     401      401   200   404        404   403
POST   /chats/{chat:int}/files                     401     401      401   400   404        404   403
GET    /chats/{chat:int}/files                     401     401      401   200   404        404   403
GET    /chats/{chat:int}/files/{file:int}          401     401      401   404   404        404   404
DELETE /chats/{chat:int}/files/{file:int}          401     401      401   204   404        404   403
POST   /chats/{chat:int}/private-files             401     401      401   400   404        404   403
GET    /chats/{chat:int}/private-files             401     401      401   200   404        404   403
GET    /chats/{chat:int}/private-files/{file:int}  401     401      401   404   404        404   404
DELETE /chats/{chat:int}/private-files/{file:int}  401     401      401   204   404        404   403
GET    /chats/{chat:int}/invite                    401     401      401   200   404        404   403
POST   /chats/{chat:int}/invite                    401     401      401   422   404        404   403
DELETE /chats/{chat:int}/invite                    401     401      401   200   404        404   403
POST   /chats/{chat:int}/messages/{seq:int}/withdrawal 401   401     401   200   404        404   403
POST   /chats/{chat:int}/messages/{seq:int}/numbers 401    401      401   404   404        404   404
PUT    /chats/{chat:int}/case                      401     401      401   200   404        404   403
GET    /chats/{chat:int}/text                      401     401      401   200   404        404   403
GET    /chats/{chat:int}/past                      401     401      401   404   404        404   403
GET    /chats/{chat:int}/emergency                 401     401      401   200   404        404   403
POST   /chats/{chat:int}/emergency                 401     401      401   200   404        404   403
DELETE /chats/{chat:int}/emergency                 401     401      401   200   404        404   403
GET    /chats/{chat:int}/block                     401     401      401   200   404        404   403
POST   /chats/{chat:int}/block                     401     401      401   422   404        404   403
POST   /chats/{chat:int}/typing                    401     401      401   204   404        404   403
POST   /chats/{chat:int}/read                      401     401      401   204   404        404   403
DELETE /chats/{chat:int}/tab                       401     401      401   200   404        404   403
POST   /chats/{chat:int}/leaving                   401     401      401   409   404        404   403
POST   /chats/{chat:int}/ending                    401     401      401   200   404        404   403
POST   /chat/offers/{offer:int}/choice             401     200      404   401   401        401   401
GET    /reservations/{reservation:int}/transfer    401     401      401   200   409        409   403
POST   /reservations/{reservation:int}/transfer    401     401      401   422   409        409   403
POST   /reservations/{reservation:int}/acceptance  401     401      401   200   409        409   403
POST   /reservations/{reservation:int}/rejection   401     401      401   409   409        409   403
GET    /chat/transcript.pdf                        401     200      200   401   401        401   401
GET    /chat/transcript.txt                        401     200      200   401   401        401   401
POST   /chat/here                                  401     200      200   401   401        401   401
POST   /chat/rating                                401     404      404   401   401        401   401
POST   /chat/transcript/mail                       401     404      404   401   401        401   401
POST   /chat/ending                                401     200      200   401   401        401   401
GET    /settings                                   401     401      401   403   403        302   302
GET    /settings/start                             401     401      401   403   403        403   200
POST   /settings/start/queue                       401     401      401   403   403        403   422
PUT    /settings/start/hours                       401     401      401   403   403        403   404
POST   /settings/start/agent                       401     401      401   403   403        403   422
POST   /settings/start/widget                      401     401      401   403   403        403   422
GET    /settings/start/state                       401     401      401   403   403        403   200
DELETE /settings/start                             401     401      401   403   403        403   200
GET    /settings/widgets/{id:int}/trial            401     401      401   403   403        403   404
GET    /settings/queues                            401     401      401   403   403        403   200
GET    /settings/queues/new                        401     401      401   403   403        403   200
GET    /settings/queues/{queue:int}                401     401      401   403   403        403   404
POST   /settings/queues                            401     401      401   403   403        403   422
PUT    /settings/queues/{queue:int}                401     401      401   403   403        403   422
GET    /settings/queues/{queue:int}/deletion       401     401      401   403   403        403   200
DELETE /settings/queues/{queue:int}                401     401      401   403   403        403   404
GET    /settings/widgets                           401     401      401   403   403        403   200
GET    /settings/widgets/new                       401     401      401   403   403        403   200
POST   /settings/widgets                           401     401      401   403   403        403   422
POST   /settings/widgets/card                      401     401      401   403   403        403   200
GET    /settings/widgets/{id:int}                  401     401      401   403   403        403   404
PUT    /settings/widgets/{id:int}                  401     401      401   403   403        403   422
GET    /settings/widgets/{id:int}/deletion         401     401      401   403   403        403   404
DELETE /settings/widgets/{id:int}                  401     401      401   403   403        403   404
GET    /settings/widgets/{id:int}/texts            401     401      401   403   403        403   404
PUT    /settings/widgets/{id:int}/texts            401     401      401   403   403        403   404
GET    /settings/widgets/{id:int}/looks            401     401      401   403   403        403   404
PUT    /settings/widgets/{id:int}/looks            401     401      401   403   403        403   404
GET    /settings/widgets/{id:int}/window           401     401      401   403   403        403   404
GET    /settings/widgets/{id:int}/keys             401     401      401   403   403        403   404
POST   /settings/widgets/{id:int}/keys             401     401      401   403   403        403   404
GET    /settings/widgets/{id:int}/keys/{signing_key:int}/revocation 401 401 401 403 403     403   404
DELETE /settings/widgets/{id:int}/keys/{signing_key:int} 401 401    401   403   403        403   404
GET    /settings/presets                           401     401      401   403   403        200   200
GET    /settings/presets/new                       401     401      401   403   403        200   200
GET    /settings/presets/table                     401     401      401   403   403        200   200
POST   /settings/presets/table                     401     401      401   403   403        400   400
POST   /settings/presets/example                   401     401      401   403   403        200   200
POST   /settings/presets/return                    401     401      401   403   403        404   404
GET    /settings/presets/{preset:int}              401     401      401   403   403        404   404
POST   /settings/presets                           401     401      401   403   403        422   422
PUT    /settings/presets/{preset:int}              401     401      401   403   403        422   422
POST   /settings/presets/{preset:int}/position     401     401      401   403   403        404   404
POST   /settings/presets/{preset:int}/earlier      401     401      401   403   403        404   404
DELETE /settings/presets/{preset:int}              401     401      401   403   403        404   404
GET    /settings/offers                            401     401      401   403   403        200   200
GET    /settings/offers/new                        401     401      401   403   403        200   200
GET    /settings/offers/table                      401     401      401   403   403        200   200
POST   /settings/offers/table                      401     401      401   403   403        400   400
POST   /settings/offers/return                     401     401      401   403   403        404   404
GET    /settings/offers/{offer:int}                401     401      401   403   403        404   404
POST   /settings/offers                            401     401      401   403   403        422   422
PUT    /settings/offers/{offer:int}                401     401      401   403   403        422   422
POST   /settings/offers/{offer:int}/position       401     401      401   403   403        404   404
POST   /settings/offers/{offer:int}/earlier        401     401      401   403   403        404   404
DELETE /settings/offers/{offer:int}                401     401      401   403   403        404   404
GET    /settings/hours                             401     401      401   403   403        403   200
GET    /settings/hours/answer                      401     401      401   403   403        403   422
GET    /settings/hours/closing                     401     401      401   403   403        403   200
POST   /settings/hours/closing                     401     401      401   403   403        403   200
DELETE /settings/hours/closing                     401     401      401   403   403        403   200
GET    /settings/hours/{queue:int}                 401     401      401   403   403        403   404
PUT    /settings/hours/{queue:int}                 401     401      401   403   403        403   404
GET    /settings/days                              401     401      401   403   403        403   200
PUT    /settings/days/holidays                     401     401      401   403   403        403   409
GET    /settings/days/new                          401     401      401   403   403        403   200
GET    /settings/days/{day:int}                    401     401      401   403   403        403   404
POST   /settings/days                              401     401      401   403   403        403   422
PUT    /settings/days/{day:int}                    401     401      401   403   403        403   404
GET    /settings/days/{day:int}/deletion           401     401      401   403   403        403   404
DELETE /settings/days/{day:int}                    401     401      401   403   403        403   404
GET    /settings/desk                              401     401      401   403   403        403   200
PUT    /settings/desk                              401     401      401   403   403        403   422
GET    /settings/house-style                       401     401      401   403   403        403   200
POST   /settings/house-style/reading               401     401      401   403   403        403   200
PUT    /settings/house-style                       401     401      401   403   403        403   409
DELETE /settings/house-style                       401     401      401   403   403        403   200
GET    /theme.css                                  200     200      200   200   200        200   200
GET    /invitation/{token:str}                     404     404      404   404   404        404   404
POST   /invitation/{token:str}                     404     404      404   404   404        404   404
GET    /session/oidc                               404     404      404   404   404        404   404
GET    /session/oidc/return                        404     404      404   404   404        404   404
GET    /session/oidc/left                          404     404      404   404   404        404   404
GET    /session/oidc/end                           404     404      404   404   404        404   404
GET    /settings/sign-in                           401     401      401   403   403        403   200
PUT    /settings/sign-in                           401     401      401   403   403        403   422
DELETE /settings/people/{agent:int}/identity       401     401      401   403   403        403   404
POST   /session/code                               422     422      422   422   422        422   422
POST   /session/second-factor                      422     422      422   422   422        422   422
GET    /settings/people                            401     401      401   403   403        403   200
GET    /settings/people/new                        401     401      401   403   403        403   200
GET    /settings/people/{agent:int}                401     401      401   403   403        403   404
POST   /settings/people                            401     401      401   403   403        403   422
PUT    /settings/people/{agent:int}                401     401      401   403   403        403   404
POST   /settings/people/{agent:int}/link           401     401      401   403   403        403   404
GET    /settings/people/{agent:int}/deactivation   401     401      401   403   403        403   404
DELETE /settings/people/{agent:int}/activity       401     401      401   403   403        403   404
PUT    /settings/people/{agent:int}/activity       401     401      401   403   403        403   404
DELETE /settings/people/{agent:int}/sessions       401     401      401   403   403        403   404
DELETE /settings/people/{agent:int}/second-factor  401     401      401   403   403        403   404
GET    /settings/roles                             401     401      401   403   403        403   200
GET    /settings/roles/new                         401     401      401   403   403        403   200
GET    /settings/roles/{role:int}                  401     401      401   403   403        403   404
POST   /settings/roles                             401     401      401   403   403        403   422
PUT    /settings/roles/{role:int}                  401     401      401   403   403        403   404
GET    /settings/roles/{role:int}/deletion         401     401      401   403   403        403   404
DELETE /settings/roles/{role:int}                  401     401      401   403   403        403   404
GET    /settings/profiles                          401     401      401   403   403        403   200
GET    /settings/profiles/new                      401     401      401   403   403        403   200
GET    /settings/profiles/{profile:int}            401     401      401   403   403        403   404
POST   /settings/profiles                          401     401      401   403   403        403   422
PUT    /settings/profiles/{profile:int}            401     401      401   403   403        403   404
GET    /settings/profiles/{profile:int}/deletion   401     401      401   403   403        403   404
DELETE /settings/profiles/{profile:int}            401     401      401   403   403        403   404
GET    /settings/privacy                           401     401      401   403   403        403   200
GET    /settings/privacy/queues/{queue:int}        401     401      401   403   403        403   404
PUT    /settings/privacy/queues/{queue:int}        401     401      401   403   403        403   404
GET    /settings/privacy/holds                     401     401      401   403   403        403   200
POST   /settings/privacy/holds                     401     401      401   403   403        403   422
PUT    /settings/privacy/holds/{chat:int}          401     401      401   403   403        403   422
DELETE /settings/privacy/holds/{chat:int}          401     401      401   403   403        403   404
GET    /settings/privacy/person                    401     401      401   403   403        403   200
POST   /settings/privacy/person                    401     401      401   403   403        403   422
POST   /settings/privacy/person/question           401     401      401   403   403        403   200
GET    /settings/privacy/person/export             401     401      401   403   403        403   404
GET    /settings/privacy/erasures                  401     401      401   403   403        403   200
POST   /settings/privacy/erasures                  401     401      401   403   403        403   409
GET    /settings/privacy/erasures/{erasure:int}    401     401      401   403   403        403   404
GET    /settings/privacy/erasures/{erasure:int}/text 401   401      401   403   403        403   404
GET    /settings/privacy/register                  401     401      401   403   403        403   200
GET    /settings/privacy/register/file             401     401      401   403   403        403   200
GET    /settings/me                                401     401      401   200   200        200   200
PUT    /settings/me                                401     401      401   422   422        422   422
PUT    /settings/me/password                       401     401      401   422   422        422   422
DELETE /settings/me/sessions                       401     401      401   200   200        200   200
DELETE /settings/me/sessions/{session:int}         401     401      401   404   404        404   404
GET    /settings/me/second-factor                  401     401      401   200   200        200   200
PUT    /settings/me/second-factor                  401     401      401   422   422        422   422
DELETE /settings/me/second-factor                  401     401      401   404   404        404   404
POST   /settings/me/recovery-codes                  401     401      401   404   404        404   404
GET    /settings/log                               401     401      401   403   403        200   200
GET    /settings/log/export                        401     401      401   403   403        200   200
GET    /settings/log/export/question               401     401      401   403   403        200   200
GET    /settings/log/{chat:int}                    401     401      401   403   403        200   200
GET    /settings/log/{chat:int}/export             401     401      401   403   403        200   200
GET    /settings/audit                             401     401      401   403   403        403   200
POST   /settings/audit/verification                401     401      401   403   403        403   200
GET    /settings/reports                            401     401      401   403   403        200   200
GET    /settings/reports/table                      401     401      401   403   403        200   200
GET    /settings/wallboard                          401     401      401   403   403        200   200
GET    /settings/wallboard/now                      401     401      401   403   403        200   200
GET    /settings/reports/agents                     401     401      401   403   403        403   403
GET    /settings/running                            401     401      401   403   403        200   403
GET    /settings/running/list                       401     401      401   403   403        200   403
GET    /settings/running/{chat:int}                 401     401      401   403   403        200   403
GET    /settings/running/{chat:int}/thread          401     401      401   403   403        200   403
POST   /settings/running/{chat:int}/whisper         401     401      401   403   403        200   403
GET    /settings/running/{chat:int}/takeover        401     401      401   403   403        200   403
POST   /settings/running/{chat:int}/takeover        401     401      401   403   403        409   403
GET    /settings/running/{chat:int}/move            401     401      401   403   403        200   403
POST   /settings/running/{chat:int}/move            401     401      401   403   403        422   403
GET    /settings/blocks                             401     401      401   403   403        200   403
DELETE /settings/blocks/{block:int}                 401     401      401   403   403        404   403
DELETE /session                                    401     401      401   409   200        200   200
"""

PEOPLE, *LINES = TABLE.strip().splitlines()
WALKERS = PEOPLE.split()
EXPECTED = {
    f"{method} {path}": dict(zip(WALKERS, map(int, statuses), strict=True))
    for method, path, *statuses in map(str.split, LINES)
}
MINE = {"jef": ("caravan", "Jef Peeters", "kenteken"), "marie": ("hondenweide", "Marie Claes")}
MAY_SEE = {"visitor": ("jef",), "stranger": ("marie",), "agent": ("jef", "marie")}
MAY_SEE |= dict.fromkeys(("supervisor", "admin"), ("jef", "marie"))  # in the log


def test_the_table_has_every_route() -> None:
    assert set(EXPECTED) == {f"{method} {path}" for method, path, _guards in routes()}


@pytest.mark.parametrize("who", WALKERS)
async def test_each_route_gives_each_person_what_is_theirs(desk: Desk, who: str) -> None:
    async with world(desk) as here:
        walker = await here.person(who)
        got, seen = {}, ""
        for route in EXPECTED:
            status, text = await ask(walker, route, here, who)
            got[route], seen = status, seen + text
        assert got == {route: expected[who] for route, expected in EXPECTED.items()}
        for owner, secrets in MINE.items():
            shown = [secret for secret in secrets if secret in seen]
            assert bool(shown) == (owner in MAY_SEE.get(who, ())), f"{who} sees of {owner}: {shown}"
        if who not in ("visitor", "agent"):
            assert (await state_of(here.chat), await seq_of(here.chat)) == ("active", here.seq)


# ---- the world that is walked ----------------------------------------------------------------------------


@dataclass
class World:
    desk: Desk
    jef: Visitor
    marie: Visitor
    an: Person
    chat: str
    seq: int
    reservation: int
    offer: int
    profile: int
    subject: str
    beats: dict[str, str]

    async def person(self, who: str) -> Person:
        match who:
            case "nobody":
                return self.desk.nobody()
            case "visitor":
                return self.jef
            case "stranger":
                return self.marie
            case "agent":
                return self.an
            case "admin":
                return await scenes.sign_in_admin(self.desk)
            case _:
                return await self.desk.agent({"other": "bram", "supervisor": "eva"}[who], "Loket")


@contextlib.asynccontextmanager
async def world(desk: Desk) -> AsyncIterator[World]:
    talk = await scenes.connected(desk, "Waar mag mijn caravan staan?")
    await talk.an.say(talk.chat, "Wat is het kenteken?")
    menu = {"key": new_key(), "title": "Waarheen?", "option": ["Camping", "Kade"]}
    await talk.an.must("POST", f"/chats/{talk.chat}/offers", menu)
    await talk.jef.open()
    marie = await desk.visitor().begin("Is de hondenweide open?", name="Marie Claes")
    reservation = await Reservation.select(Reservation.id).where(Reservation.outcome == "").first()
    profile = await Profile.select(Profile.id).where(Profile.name == "Loket").first()
    offer = await Offer.select(Offer.id).first()
    assert reservation
    assert offer
    assert profile
    async with talk.jef.stream() as window, talk.an.stream() as console:
        await window.wait_for("kenteken")
        await console.wait_for("hondenweide")
        beats = {"visitor": window.events[0].data, "agent": console.events[0].data}
        yield World(
            desk,
            talk.jef,
            marie,
            talk.an,
            talk.chat,
            await seq_of(talk.chat),
            reservation["id"],
            offer["id"],
            profile["id"],
            "1",
            beats,
        )


async def ask(walker: Person, route: str, here: World, who: str) -> tuple[int, str]:
    method, path = route.split()
    url = (
        path.replace("{key:str}", "voorbeeld")
        .replace("{manual:str}", "agent")
        .replace("{file_path:path}", "app.css")
        .replace("{token:str}", "x")
    )
    url = url.replace("{chat:int}", here.chat).replace("{reservation:int}", str(here.reservation))
    url = url.replace("/settings/offers/{offer:int}", "/settings/offers/999")
    url = url.replace("{offer:int}", str(here.offer)).replace("{seq:int}", "3")
    numbered = "agent|block|day|erasure|file|id|preset|profile|queue|role|session|signing_key"
    url = re.sub(f"{{({numbered}):int}}", "999", url)
    request = walker.client.build_request(method, url, data=form_of(route, here, who))
    answer = await walker.client.send(request, stream=True)
    try:
        return answer.status_code, await beginning(answer)
    finally:
        await answer.aclose()


def form_of(route: str, here: World, who: str) -> dict[str, Any] | None:
    forms: dict[str, dict[str, Any]] = {
        "POST /chats/{chat:int}/offers": {"key": new_key(), "title": "Wat?", "option": ["Dit", "Dat"]},
        "POST /chat/offers/{offer:int}/choice": {"option": "0"},
        "POST /chat": {"name": "X", "subject": here.subject, "question": "Nog iets?", "key": new_key()},
        "POST /chat/beat": {"beat": here.beats.get(who, "onbekend")},
        "POST /console/beat": {"beat": here.beats.get(who, "onbekend")},
        "POST /session/profile": {"profile": str(here.profile)},
        "PUT /readiness": {"state": "lunch" if who != "agent" else "ready"},
    }
    message = {"key": new_key(), "body": "Dag", "seq": "1"}
    return None if route.startswith(("GET", "HEAD", "DELETE")) else forms.get(route, message)


async def beginning(answer: httpx.Response) -> str:
    """All of it; of a stream what comes first."""
    text = ""
    async for piece in answer.aiter_text():
        text += piece
        if "event-stream" in answer.headers["content-type"] and ("hx-partial" in text or '"green"' in text):
            break
    return text


async def state_of(chat: str) -> str:
    row = await Chat.select(Chat.state).where(Chat.id == int(chat)).first()
    assert row
    return str(row["state"])


async def seq_of(chat: str) -> int:
    row = await Chat.select(Chat.seq).where(Chat.id == int(chat)).first()
    assert row
    return int(row["seq"])
