"""The people of the desk: who is invited, what roles and profiles do, and who is let out."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from db.tables import Agent, Audit, Chat, Mail, OneTimeLink, Profile, Readiness, Role, Session
from features import first_admin, mail
from tests import scenes
from tests.conftest import Desk
from tests.people import PASSWORD, AgentClient, Person
from tests.test_after_the_end import Post, configure

NEW = {
    "name": "Dirk",
    "username": "dirk",
    "email": "",
    "role": "1",
    "language": "nl",
    "languages": ["nl", "fr"],
    "profiles": ["1"],
}
LONG = "een-lang-wachtwoord"


# ---- invitation ------------------------------------------------------------------------------------------


async def test_who_is_invited_chooses_a_password_and_signs_in(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    link = link_in((await admin.post("/settings/people", NEW)).text)
    dirk = AgentClient(desk.url, "dirk")
    assert not (await dirk.sign_in(LONG)).is_success
    assert "Dirk" in (await dirk.get(link)).text
    short = await dirk.post(link, {"password": "kort"})
    assert (short.status_code, "minstens 12 tekens" in short.text) == (422, True)
    assert (await dirk.post(link, {"password": LONG})).is_success
    assert (await dirk.sign_in(LONG)).is_success
    assert (await dirk.get(link)).status_code == 404, "it works once"
    assert (await dirk.post(link, {"password": LONG})).status_code == 404
    await dirk.close()


async def test_a_new_link_ends_the_old_one_and_time_ends_it_too(desk: Desk, clock: Any) -> None:
    admin = await scenes.sign_in_admin(desk)
    old = link_in((await admin.post("/settings/people", NEW)).text)
    new = link_in((await admin.post(f"/settings/people/{await agent('dirk')}/link")).text)
    somebody = desk.nobody()
    assert (await somebody.get(old)).status_code == 404
    assert (await somebody.get(new)).status_code == 200
    clock.shift(7 * 24 * 3600)
    assert (await somebody.get(new)).status_code == 404


async def test_a_link_of_one_kind_opens_nothing_of_another(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    token = link_in((await admin.post("/settings/people", NEW)).text).rpartition("/")[2]
    form = {"username": "boef", "name": "Boef", "password": LONG}
    assert (await desk.nobody().post(f"/first-admin/{token}", form)).status_code == 404
    answer = await desk.nobody().post("/session/second-factor", {"pending": token, "code": "000000"})
    assert answer.status_code == 422
    assert await OneTimeLink.count() == 1


async def test_a_link_for_a_forgotten_password_signs_the_old_one_out(desk: Desk) -> None:
    admin, an = await scenes.sign_in_admin(desk), await desk.agent("an", "Loket")
    link = link_in((await admin.post(f"/settings/people/{await agent('an')}/link")).text)
    assert (await an.get("/settings/me")).status_code == 200, "the old one works until a new one is chosen"
    assert (await desk.nobody().post(link, {"password": LONG})).is_success
    assert (await an.get("/settings/me")).status_code == 401
    assert not (await an.sign_in(PASSWORD)).is_success
    assert (await an.sign_in(LONG)).is_success


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"username": "An"}, "username", "Iemand anders heeft deze gebruikersnaam."),
        ({"username": "dirk dirkx"}, "username", "2 tot 64"),
        ({"name": " "}, "name", "bezoekers"),
        ({"email": "dirk"}, "email", "naam@voorbeeld.be"),
        ({"role": "77"}, "role", "Kies een rol."),
        ({"profiles": ["77"]}, "profiles", "bestaat niet meer"),
        ({"language": "xx"}, "language", "Kies een taal."),
    ],
)
async def test_what_is_wrong_with_a_person_is_said_at_the_field(
    desk: Desk, changes: dict[str, Any], field: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    answer = await admin.post("/settings/people", NEW | changes)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert words in admin.screen.text(f"#{field}-error")
    assert await Agent.count() == 5


async def test_the_audit_tells_of_a_person_without_naming_them(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    await admin.post("/settings/people", NEW | {"email": "dirk@voorbeeld.be"})
    rows = await Audit.select(Audit.what, Audit.fields).where(Audit.about == f"agent:{await agent('dirk')}")
    assert [row["what"] for row in rows] == ["made", "link_made"]
    text = json.dumps(rows, default=str)
    assert "irk" not in text
    assert "password_hash" not in text or "argon2" not in text
    assert json.loads(rows[0]["fields"])["role"] == [None, 1]


async def test_a_link_is_mailed_too_in_the_agents_language_and_both_work_once(desk: Desk) -> None:
    admin, office = await scenes.sign_in_admin(desk), Post()
    await office.open()
    configure(desk, f"smtp://127.0.0.1:{office.port}")
    answer = await admin.post("/settings/people", NEW | {"email": "dirk@voorbeeld.be", "language": "fr"})
    assert "onderweg naar dirk@voorbeeld.be" in answer.text
    shown = link_in(answer.text)
    await mail.send_due()
    await mail.send_due()
    await office.close()
    ((to, letter),) = office.letters
    assert to == ["dirk@voorbeeld.be"]
    assert letter["Subject"] == "Invitation au chat de Gemeente Voorbeeld"
    mailed = link_in(letter.get_content())
    assert mailed != shown
    assert (await desk.nobody().get(shown)).status_code == 200
    assert (await desk.nobody().post(mailed, {"password": LONG})).is_success
    assert (await desk.nobody().get(shown)).status_code == 404, "a password has been chosen"
    (kept,) = await Mail.select()
    assert mailed.rpartition("/")[2] not in str(kept)


async def test_without_a_mail_server_or_an_address_nothing_is_mailed(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    answer = await admin.post("/settings/people", NEW | {"email": "dirk@voorbeeld.be"})
    assert "onderweg" not in answer.text
    configure(desk, "smtp://127.0.0.1:9")
    answer = await admin.post("/settings/people", NEW | {"username": "els"})
    assert "onderweg" not in answer.text
    assert await Mail.count() == 0


async def test_a_new_desk_has_three_roles(empty_desk: Desk) -> None:
    link = await first_admin.first_admin_link()
    form = {"username": "beheer", "name": "Beheer", "password": LONG}
    await empty_desk.nobody().post(str(link), form)
    assert [row["name"] for row in await Role.select(Role.name).order_by(Role.id)] == [
        "agent",
        "supervisor",
        "admin",
    ]
    assert await permissions("agent") == ["chat", "reveal_numbers"]


# ---- in and out ------------------------------------------------------------------------------------------


async def test_who_is_deactivated_is_out_at_once_and_the_chat_goes_back(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    async with scenes.live(desk) as talk:
        path = f"/settings/people/{await agent('an')}"
        assert "1 lopend gesprek" in (await admin.get(f"{path}/deactivation")).text
        assert (await admin.send("DELETE", f"{path}/activity")).is_success
        await talk.console.wait_for("signed_out")
        row = await Chat.select(Chat.state, Chat.returned).where(Chat.id == int(talk.chat)).first()
        assert row == {"state": "waiting", "returned": True}
        assert (await talk.an.get("/settings/me")).status_code == 401
        assert not (await talk.an.sign_in()).is_success
        assert not await Session.exists().where(Session.agent == await agent("an"))
        assert (await admin.send("PUT", f"{path}/activity")).is_success
        assert (await talk.an.sign_in()).is_success


async def test_the_last_who_manages_people_stays(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path, role = f"/settings/people/{await agent('admin')}", await role_of("admin")
    refused = await admin.send("DELETE", f"{path}/activity")
    assert refused.status_code == 409
    assert "Dan kan niemand nog medewerkers beheren" in refused.text
    less = await admin.send("PUT", path, await form(admin, path) | {"role": str(await role_of("agent"))})
    assert less.status_code == 422
    rights = {"name": "Beheerder", "permissions": ["manage_desk"], "version": "1"}
    assert (await admin.send("PUT", f"/settings/roles/{role}", rights)).status_code == 422
    assert "manage_people" in (await permissions("admin"))
    assert (await admin.get("/settings/people")).status_code == 200


async def test_with_a_second_one_the_first_may_go_but_an_invited_one_does_not_count(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/people/{await agent('admin')}"
    link = link_in((await admin.post("/settings/people", NEW | {"role": str(await role_of("admin"))})).text)
    assert (await admin.send("DELETE", f"{path}/activity")).status_code == 409
    await desk.nobody().post(link, {"password": LONG})
    assert (await admin.send("DELETE", f"{path}/activity")).is_success
    assert (await admin.get("/settings/people")).status_code == 401


async def test_signed_out_everywhere_by_an_admin(desk: Desk) -> None:
    admin, an = await scenes.sign_in_admin(desk), await desk.agent("an", "Loket", ready=True)
    answer = await admin.send("DELETE", f"/settings/people/{await agent('an')}/sessions")
    assert answer.is_success
    assert (await an.get("/settings/me")).status_code == 401
    assert (await standing("an"))["profile"] is None
    assert (await an.sign_in()).is_success


async def test_the_list_says_who_is_here(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    await desk.agent("an", "Loket", ready=True)
    await desk.agent("bram", "Loket")
    await admin.post("/settings/people", NEW)
    await admin.send("DELETE", f"/settings/people/{await agent('eva')}/activity")
    admin.screen.show((await admin.get("/settings/people")).text)
    rows = {text.split()[0]: text for text in admin.screen.texts("#people [data-row]")}
    assert "Beschikbaar" in rows["An"]
    assert "Pauze" in rows["Bram"] or "pauze" in rows["Bram"].lower()
    assert "Niet aangemeld" in rows["Chloé"]
    assert "Uitgenodigd" in rows["Dirk"]
    assert "Uitgeschakeld" in rows["Eva"]


# ---- roles -----------------------------------------------------------------------------------------------


async def test_a_role_counts_at_once_also_for_who_is_on_duty(desk: Desk) -> None:
    admin, an = await scenes.sign_in_admin(desk), await desk.agent("an", "Loket", ready=True)
    path = f"/settings/roles/{await role_of('agent')}"
    rights = {"name": "Medewerker", "permissions": ["read_log"], "version": "1"}
    assert (await admin.send("PUT", path, rights)).is_success
    assert (await standing("an"))["profile"] is None
    assert (await an.get("/console")).status_code == 403
    row = await Role.select(Role.name).where(Role.id == await role_of("agent")).first()
    assert row == {"name": "agent"}, "its name in all languages stays"
    back = rights | {"permissions": ["chat"], "version": "2"}
    assert (await admin.send("PUT", path, back)).is_success
    assert (await an.get("/console")).status_code == 200


async def test_a_role_that_somebody_has_stays_and_a_new_one_goes(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    refused = await admin.send("DELETE", f"/settings/roles/{await role_of('agent')}")
    assert refused.status_code == 409
    assert "Chloé" in refused.text
    made = await admin.post("/settings/roles", {"name": "Redactie", "permissions": ["manage_presets", "x"]})
    assert made.is_success
    assert await permissions("Redactie") == ["manage_presets"]
    assert (await admin.post("/settings/roles", {"name": "redactie"})).status_code == 422
    assert (await admin.send("DELETE", f"/settings/roles/{await role_of('Redactie')}")).is_success


async def test_every_permission_is_explained(desk: Desk) -> None:
    from features import access, roles

    assert set(roles.SENTENCES) == set(access.PERMISSIONS)
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/roles/new")).text)
    assert len(admin.screen.css("[name=permissions]")) == len(access.PERMISSIONS)


# ---- profiles --------------------------------------------------------------------------------------------


async def test_a_profile_that_changes_counts_at_once_for_who_is_on_duty(desk: Desk) -> None:
    admin, an = await scenes.sign_in_admin(desk), await desk.agent("an", "Loket", ready=True)
    profile = await profile_of("Loket")
    async with an.stream() as console:
        await console.wait_for("Vergunningen")
        chosen = {"name": "Loket", "places": "2", "queue-1": "1", "version": "1"}
        assert (await admin.send("PUT", f"/settings/profiles/{profile}", chosen)).is_success
        await console.wait_for(lambda: "Vergunningen" not in an.screen.text("#lines"))
        nothing = {"name": "Loket", "places": "2", "version": "2"}
        answer = await admin.send("PUT", f"/settings/profiles/{profile}", nothing)
        assert "Dit profiel bevat geen wachtrijen" in answer.text
        await console.wait_for("Uw profiel bevat geen chatwachtrijen")


async def test_a_request_of_a_queue_that_the_profile_loses_goes_back(desk: Desk) -> None:
    admin, an = await scenes.sign_in_admin(desk), await desk.agent("an", "Loket", ready=True)
    await desk.visitor().begin("Is er plaats?")
    await an.open()
    assert an.request
    chosen = {"name": "Loket", "places": "3", "queue-2": "1", "version": "1"}
    await admin.send("PUT", f"/settings/profiles/{await profile_of('Loket')}", chosen)
    await an.open()
    assert not an.request
    back = chosen | {"queue-1": "1", "version": "2"}
    await admin.send("PUT", f"/settings/profiles/{await profile_of('Loket')}", back)
    await an.open()
    assert an.request, "and comes again with the queue"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "vergunningen"}, "name"),
        ({"places": "0"}, "places"),
        ({"queue-1": "x"}, "queue-1"),
    ],
)
async def test_what_is_wrong_with_a_profile_is_said(desk: Desk, changes: dict[str, str], field: str) -> None:
    admin = await scenes.sign_in_admin(desk)
    answer = await admin.post("/settings/profiles", {"name": "Nieuw", "places": "3"} | changes)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert admin.screen.has(f"#{field}-error")
    assert await Profile.count() == 3


async def test_a_profile_that_is_used_stays_and_says_by_whom(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/profiles/{await profile_of('Vergunningen')}"
    refused = await admin.send("DELETE", path)
    assert refused.status_code == 409
    assert "Bram" in refused.text
    person = f"/settings/people/{await agent('bram')}"
    changed = await form(admin, person) | {"profiles": [str(await profile_of("Loket"))]}
    assert (await admin.send("PUT", person, changed)).is_success
    assert (await admin.send("DELETE", path)).is_success


async def test_a_profile_that_somebody_loses_while_on_duty_is_exchanged(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    await desk.agent("bram", "Vergunningen", ready=True)
    person = f"/settings/people/{await agent('bram')}"
    loket = await profile_of("Loket")
    await admin.send("PUT", person, await form(admin, person) | {"profiles": [str(loket)]})
    assert (await standing("bram"))["profile"] == loket
    await admin.send("PUT", person, await form(admin, person) | {"profiles": []})
    assert (await standing("bram"))["profile"] is None


# ---- languages -------------------------------------------------------------------------------------------


async def test_who_speaks_the_visitors_language_is_asked_first(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)  # idle longer
    chloe = await desk.agent("chloe", "Loket", ready=True)
    await desk.visitor(language="fr").begin("Puis-je stationner ici ?")
    await chloe.open()
    await an.open()
    assert chloe.request
    assert not an.request


@pytest.mark.parametrize("how", ["busier", "idle longer"])
async def test_but_not_before_who_has_fewer_chats_or_was_idle_much_longer(
    desk: Desk, clock: Any, how: str
) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    chloe = await desk.agent("chloe", "Loket", ready=True)
    if how == "idle longer":
        begun = clock.now() - timedelta(seconds=301)
        await Readiness.update({Readiness.idle_since_at: begun}).where(Readiness.agent == await agent("an"))
    if how == "busier":
        await desk.visitor(language="fr").begin("Une première question")
        await scenes.taken(chloe)
    await desk.visitor(language="fr").begin("Puis-je stationner ici ?")
    await an.open()
    assert an.request


# ---- what the tests look up ------------------------------------------------------------------------------


def link_in(text: str) -> str:
    found = re.search(r"/invitation/[\w-]{43}", text)
    assert found, text
    return found[0]


async def form(admin: Person, path: str) -> dict[str, Any]:
    """As the page would send it."""
    admin.screen.show((await admin.get(path)).text)
    sent = {
        node.attributes["name"]: node.attributes.get("value") or ""
        for node in admin.screen.css("#person input.input, #person [name=version]")
    }
    for node in admin.screen.css("#person select"):
        (chosen,) = node.css("option[selected]")
        sent[node.attributes["name"]] = chosen.attributes["value"] or ""
    lists: dict[str, Any] = {
        name: [node.attributes["value"] for node in admin.screen.css(f"#person [name={name}][checked]")]
        for name in ("languages", "profiles")
    }
    return {**{str(name): value for name, value in sent.items()}, **lists}


async def agent(username: str) -> int:
    row = await Agent.select(Agent.id).where(Agent.username == username).first()
    assert row
    return int(row["id"])


async def role_of(name: str) -> int:
    row = await Role.select(Role.id).where(Role.name == name).first()
    assert row
    return int(row["id"])


async def permissions(role: str) -> list[str]:
    row = await Role.select(Role.permissions).where(Role.name == role).first()
    assert row
    found: list[str] = json.loads(row["permissions"])
    return found


async def profile_of(name: str) -> int:
    row = await Profile.select(Profile.id).where(Profile.name == name).first()
    assert row
    return int(row["id"])


async def standing(username: str) -> dict[str, Any]:
    row = await Readiness.select().where(Readiness.agent == await agent(username)).first()
    assert row
    return row
