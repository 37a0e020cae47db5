"""One person asks to be forgotten, or to know what is kept."""

import io
import json
import re
import zipfile

import httpx
import pytest

from db.tables import Audit, Chat, Erasure, Identity, Message
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient
from tests.test_retention import is_wiped, places_with, rows_with, talk_with_everything

MAIL = "lien@voorbeeld.be"


async def ended(desk: Desk, words: str, email: str = "") -> str:
    talk = await talk_with_everything(desk, words, {"kanarie": "an", "merel": "bram"}[words])
    await Chat.update({Chat.visitor_email: email}).where(Chat.id == int(talk.chat))
    await talk.an.pause()
    return talk.chat


async def search(admin: AgentClient, who: str) -> list[str]:
    """The conversations that are offered to be erased."""
    admin.screen.show((await admin.get("/settings/privacy/person")).text)
    await admin.must("POST", "/settings/privacy/person", {"who": who})
    return [str(each.attributes["value"]) for each in admin.screen.css("#found [type=checkbox]")]


async def erase(admin: AgentClient, chats: list[str]) -> httpx.Response:
    return await admin.post("/settings/privacy/erasures", {"chat": chats})


@pytest.mark.parametrize("who", [MAIL, " Lien@Voorbeeld.BE "])
async def test_a_person_is_forgotten_and_nobody_else(desk: Desk, example_database: str, who: str) -> None:
    theirs = await ended(desk, "kanarie", MAIL)
    other = await ended(desk, "merel", "an.other@voorbeeld.be")
    admin = await scenes.sign_in_admin(desk)
    assert await search(admin, who) == [theirs]
    asked = await admin.must("POST", "/settings/privacy/person/question", {"chat": theirs})
    assert "1 gesprek wissen?" in asked.text
    assert await Chat.exists().where(Chat.id == int(theirs)), "asking erases nothing"
    answer = await erase(admin, [theirs])
    assert re.fullmatch(r"/settings/privacy/erasures/\d+", answer.headers["hx-redirect"])
    assert [row["id"] for row in await Chat.select(Chat.id)] == [int(other)]
    assert await rows_with("kanarie") == []
    await scenes.eventually_true(is_wiped)
    assert list(places_with(example_database, "kanarie")) == []
    assert list(places_with(example_database, "merel"))


async def test_a_receipt_says_that_and_not_of_whom(desk: Desk) -> None:
    theirs = await ended(desk, "kanarie", MAIL)
    admin = await scenes.sign_in_admin(desk)
    path = (await erase(admin, [theirs])).headers["hx-redirect"]
    await scenes.eventually_true(is_wiped)
    row = await Erasure.select().first()
    assert row
    for text in ((await admin.get(path)).text, (await admin.get(f"{path}/text")).text):
        assert row["code"] in text
        assert "Beheerder" in text
        assert "lien" not in text.lower()
    assert row["code"] in (await admin.get("/settings/privacy/erasures")).text
    assert await rows_with(MAIL) == []
    told = await Audit.select().where(Audit.what == "erased")
    assert [json.loads(each["fields"]) for each in told] == [{"conversations": [None, 1], "files": [None, 1]}]


async def test_what_is_on_hold_is_named_and_stays(desk: Desk) -> None:
    held, free = await ended(desk, "kanarie", MAIL), await ended(desk, "merel", MAIL)
    admin = await scenes.sign_in_admin(desk)
    await admin.must("PUT", f"/settings/privacy/holds/{held}", {"reason": "Klacht 12"})
    assert await search(admin, MAIL) == [free]
    assert "vastgehouden: het blijft" in admin.screen.text("#found")
    assert (await erase(admin, [held, free])).headers["hx-redirect"]
    assert [row["id"] for row in await Chat.select(Chat.id)] == [int(held)]
    assert [row["stayed"] for row in await Erasure.select()] == [1]
    assert (await erase(admin, [held])).status_code == 409
    assert await Chat.count() == 1


async def test_what_still_runs_stays(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await Chat.update({Chat.visitor_email: MAIL}).where(Chat.id == int(talk.chat))
    admin = await scenes.sign_in_admin(desk)
    assert await search(admin, MAIL) == []
    assert "loopt nog: het blijft" in admin.screen.text("#found")
    assert (await erase(admin, [talk.chat])).status_code == 409
    assert await Message.exists().where(Message.chat == int(talk.chat))


@pytest.mark.parametrize("who", ["burger-7", "LIEN@voorbeeld.be"])
async def test_a_verified_person_is_known_by_id_and_by_address(desk: Desk, who: str) -> None:
    theirs = await ended(desk, "kanarie")
    row = await Chat.select(Chat.visitor, Chat.widget).where(Chat.id == int(theirs)).first()
    assert row
    await Identity.insert(Identity(**row, sub="burger-7", email=MAIL, site="Gemeente"))
    admin = await scenes.sign_in_admin(desk)
    assert await search(admin, who) == [theirs]
    assert "geverifieerd" in admin.screen.text("#found")
    assert await search(admin, "burger") == []
    assert await search(admin, "%") == []
    await erase(admin, [theirs])
    assert await Identity.count() == 0


async def test_whom_nobody_knows_is_not_found(desk: Desk) -> None:
    await ended(desk, "kanarie", MAIL)
    admin = await scenes.sign_in_admin(desk)
    assert await search(admin, "niemand@voorbeeld.be") == []
    assert "Er wordt niets bewaard" in admin.screen.text("#found")
    assert (await admin.post("/settings/privacy/person", {"who": " "})).status_code == 422


async def test_what_is_kept_of_somebody_can_be_fetched(desk: Desk) -> None:
    theirs = await ended(desk, "kanarie", MAIL)
    await ended(desk, "merel", "an.other@voorbeeld.be")
    admin = await scenes.sign_in_admin(desk)
    answer = await admin.get(f"/settings/privacy/person/export?chat={theirs}")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    (file,) = [name for name in archive.namelist() if name.startswith("files/")]
    assert b"inhoud kanarie" in archive.read(file)
    text = archive.read("data.json").decode()
    data = json.loads(text)
    assert "Antwoord kanarie" in {row["body"] for row in data["message"]}
    assert [row["body"] for row in data["private"]["private_message"]] == ["Nota kanarie"]
    assert "Nota" not in json.dumps({name: rows for name, rows in data.items() if name != "private"})
    assert "merel" not in text
    assert "_hash" not in text
    assert await Audit.exists().where(Audit.what == "exported").where(Audit.about == f"chat:{theirs}")
    assert (await admin.get("/settings/privacy/person/export?chat=999")).status_code == 404
