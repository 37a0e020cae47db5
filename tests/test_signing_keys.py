"""Signing keys as an admin makes, changes and revokes them; and that the snippets sign what is believed."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from playwright._impl._driver import compute_driver_executable

from db.settings import settings
from db.tables import Audit, SigningKey, Widget
from features import signing_snippets
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient
from tests.test_identity import Pressed, press

pytestmark = pytest.mark.either

PRIVATE: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
}


def pem(algorithm: str, private: bool = False) -> str:
    key = PRIVATE[algorithm]
    if private:
        made = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    else:
        made = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return str(made.decode())


async def opened(desk: Desk) -> tuple[AgentClient, str]:
    """The keys of the example widget, without the one that the demo has."""
    row = await Widget.select(Widget.id).where(Widget.key == "voorbeeld").first()
    assert row
    await SigningKey.delete(force=True)
    admin, path = await scenes.sign_in_admin(desk), f"/settings/widgets/{row['id']}/keys"
    admin.screen.show((await admin.must("GET", path)).text)
    return admin, path


async def with_key(desk: Desk, **form: str) -> tuple[AgentClient, str, dict[str, Any]]:
    admin, path = await opened(desk)
    await admin.must("POST", path, {"algorithm": "HS256", **form})
    row = await SigningKey.select().first()
    assert row
    return admin, path, row


def secret_on(admin: AgentClient) -> str:
    return str(admin.screen.first("#secret").text())


# ---- making one ------------------------------------------------------------------------------------------


async def test_a_secret_is_made_and_shown_once(desk: Desk) -> None:
    admin, path, row = await with_key(desk)
    assert secret_on(admin) == row["material"]
    assert len(row["material"]) >= 43
    admin.screen.show((await admin.get(path)).text)
    assert row["kid"] in admin.screen.text("#keys")
    assert row["material"] not in (admin.screen.tree.html or "")


async def test_no_secret_is_in_the_audit(desk: Desk) -> None:
    admin, path, row = await with_key(desk, kid="loket")
    await admin.must("DELETE", f"{path}/{row['id']}")
    rows = await Audit.select().where(Audit.about == f"signing_key:{row['id']}").order_by(Audit.id)
    assert [each["what"] for each in rows] == ["made", "changed"]
    made, revoked = (json.loads(each["fields"]) for each in rows)
    assert made["kid"] == [None, "loket"]
    assert made["material"] is None
    assert revoked["material"] is None
    assert not any(row["material"] in each["fields"] for each in rows)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_a_public_key_of_the_site_is_taken(desk: Desk, algorithm: str) -> None:
    admin, _path, row = await with_key(desk, algorithm=algorithm, material=pem(algorithm))
    assert not admin.screen.has("#secret")
    assert (row["algorithm"], row["material"]) == (algorithm, pem(algorithm))


async def test_what_is_no_public_key_of_that_kind_is_refused(desk: Desk) -> None:
    admin, path = await opened(desk)
    small = rsa.generate_private_key(65537, 1024).public_key()
    weak = small.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    wrong = [
        ("ES256", pem("RS256"), "ES256 (P-256)"),
        ("RS256", pem("ES256"), "RS256 (2048 bits of meer)"),
        ("RS256", weak, "RS256 (2048 bits of meer)"),
        ("ES256", "geheim", "ES256 (P-256)"),
        ("ES256", pem("ES256", private=True), "Dit is een privésleutel"),
    ]
    for algorithm, material, said in wrong:
        answer = await admin.post(path, {"algorithm": algorithm, "material": material})
        assert answer.status_code == 422
        admin.screen.show(answer.text)
        assert said in admin.screen.text("#material-error")
    answer = await admin.post(path, {"algorithm": "none"})
    assert answer.status_code == 422
    assert not await SigningKey.exists()


async def test_names_of_keys_are_plain_and_used_once(desk: Desk) -> None:
    admin, path, row = await with_key(desk, kid="2026-a")
    await admin.must("DELETE", f"{path}/{row['id']}")
    for kid, said in (("2026-a", "Er is of was al"), ("a b", "Hoogstens 40"), ('"', "Hoogstens 40")):
        answer = await admin.post(path, {"algorithm": "HS256", "kid": kid})
        assert answer.status_code == 422
        admin.screen.show(answer.text)
        assert said in admin.screen.text("#kid-error")


async def test_there_are_ten_keys_in_use_at_most(desk: Desk) -> None:
    admin, path = await opened(desk)
    for _time in range(10):
        await admin.must("POST", path, {"algorithm": "HS256"})
    assert (await admin.post(path, {"algorithm": "HS256"})).status_code == 422
    assert await SigningKey.count() == 10


# ---- using, changing, revoking ---------------------------------------------------------------------------


async def test_a_key_is_changed_for_another_without_a_gap(desk: Desk, tmp_path: Path) -> None:
    admin, path, first = await with_key(desk, kid="eerste")
    old = await signed_by("python", admin, secret_on(admin), tmp_path)
    await admin.must("POST", path, {"algorithm": "HS256", "kid": "tweede"})
    second = secret_on(admin)
    new = await signed_by("python", admin, second, tmp_path)
    assert (await press(desk, old)).code == ""
    assert (await press(desk, new)).code == ""
    assert "De sleutel eerste intrekken?" in (await admin.get(f"{path}/{first['id']}/revocation")).text
    await admin.must("DELETE", f"{path}/{first['id']}")
    assert "Ingetrokken op" in admin.screen.text(f"#key-{first['id']}")
    assert (await press(desk, old)).code == "unknown_key"
    assert (await press(desk, await signed_by("python", admin, second, tmp_path))).code == ""


async def test_a_revoked_key_is_forgotten(desk: Desk) -> None:
    admin, path, row = await with_key(desk)
    await admin.must("DELETE", f"{path}/{row['id']}")
    await admin.must("DELETE", f"{path}/{row['id']}")
    assert await SigningKey.select(SigningKey.material).first() == {"material": ""}
    assert not admin.screen.has("#snippet-python"), "there is no key to sign with"


async def test_a_key_of_another_widget_is_not_there(desk: Desk) -> None:
    admin, _path, row = await with_key(desk)
    other = await Widget.select(Widget.id).where(Widget.key == "direct").first()
    assert other
    elsewhere = f"/settings/widgets/{other['id']}/keys/{row['id']}"
    assert (await admin.send("DELETE", elsewhere)).status_code == 404
    assert await SigningKey.exists().where(SigningKey.revoked_at.is_null())


async def test_the_list_says_when_a_key_was_last_used(desk: Desk, tmp_path: Path) -> None:
    admin, path, row = await with_key(desk)
    assert "nooit" in admin.screen.text(f"#key-{row['id']}")
    token = await signed_by("python", admin, secret_on(admin), tmp_path)
    await press(desk, token + "x")
    admin.screen.show((await admin.get(path)).text)
    assert "nooit" in admin.screen.text(f"#key-{row['id']}")
    await press(desk, token)
    admin.screen.show((await admin.get(path)).text)
    assert "11 mrt 2026 10:00" in admin.screen.text(f"#key-{row['id']}")


# ---- the snippets ----------------------------------------------------------------------------------------

CALLS = {
    "python": 'print(balie_token("burger-1207", "Lien “Ö” Janssens", "lien@voorbeeld.be", {"Klant": "VB-1"}))',  # noqa: E501
    "javascript": 'console.log(balieToken("burger-1207", "Lien “Ö” Janssens", "lien@voorbeeld.be", {Klant: "VB-1"}));',  # noqa: E501
}
# The desk's clock stands in a test; the snippets ask for the time in their own way.
CLOCKS = {
    "python": "import time\ntime.time = lambda: {now}\n",
    "javascript": "Date.now = () => {now} * 1000;\n",
}


async def signed_by(language: str, admin: AgentClient, key: str, place: Path) -> str:
    """What the snippet on the page signs, run as it is there."""
    from db.clock import now

    text = str(admin.screen.first(f"#snippet-{language}").text())
    clock = CLOCKS[language].format(now=int(now().timestamp()))
    file = place / ("sign.py" if language == "python" else "sign.js")
    file.write_text(f"{clock}{text}\n{CALLS[language]}\n")
    program = sys.executable if language == "python" else compute_driver_executable()[0]  # a Node.js
    process = await asyncio.create_subprocess_exec(
        program, str(file), env={**os.environ, "BALIE_KEY": key}, stdout=asyncio.subprocess.PIPE
    )
    out, _err = await process.communicate()
    return out.decode().strip()


async def believed(desk: Desk, token: str) -> Pressed:
    lien = await press(desk, token)
    assert lien.code == "", lien.text
    assert "Doorgegeven door E-loket: Lien “Ö” Janssens" in lien.visitor.screen.text("#form")
    return lien


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "RS256"])
async def test_what_the_python_snippet_signs_is_believed(desk: Desk, algorithm: str, tmp_path: Path) -> None:
    await snippet_is_believed(desk, "python", algorithm, tmp_path)


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "RS256"])
async def test_what_the_javascript_snippet_signs_is_believed(
    desk: Desk, algorithm: str, tmp_path: Path
) -> None:
    await snippet_is_believed(desk, "javascript", algorithm, tmp_path)


async def snippet_is_believed(desk: Desk, language: str, algorithm: str, place: Path) -> None:
    shared = algorithm == "HS256"
    material = "" if shared else pem(algorithm)
    admin, _path, _row = await with_key(desk, algorithm=algorithm, material=material)
    key = secret_on(admin) if shared else pem(algorithm, private=True)
    await believed(desk, await signed_by(language, admin, key, place))


def test_every_snippet_is_filled_in_and_holds_no_key() -> None:
    for algorithm in ("HS256", "ES256", "RS256"):
        signing = signing_snippets.Signing("sport12345", "https://chat.example.be", "k7", algorithm)
        texts = signing_snippets.of(signing)
        assert list(texts) == list(signing_snippets.LANGUAGES)
        for text in texts.values():
            for wanted in ("sport12345", "https://chat.example.be", "k7", algorithm, "BALIE_KEY"):
                assert wanted in text
            assert not any(mark in text for mark in ("«", "»", "%SIGN%", "%NOTE%", "%IMPORT%", "%NAME%"))


async def test_the_page_fills_in_our_address(desk: Desk) -> None:
    admin, _path, row = await with_key(desk)
    assert settings.url in admin.screen.first("#snippet-php").text()
    assert row["kid"] in admin.screen.first("#snippet-csharp").text()
