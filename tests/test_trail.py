"""The audit's page: who did what to what, in words; and that its chain is whole."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import db
from db.tables import Audit, Queue
from features import audit
from tests import scenes
from tests.conftest import Clock, Desk
from tests.test_settings import QUEUE

ROOT = Path(__file__).parents[1]


async def test_a_change_is_told_with_what_it_was_and_what_it_became(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    row = await Queue.select(Queue.id).where(Queue.name == "Algemeen").first()
    assert row
    form = QUEUE | {"name": "Algemeen", "version": "1", "idle_minutes": "10"}
    await admin.must("PUT", f"/settings/queues/{row['id']}", form)
    admin.screen.show((await admin.must("GET", "/settings/audit")).text)
    entry = admin.screen.text(".trail li")
    assert entry.startswith("Beheerder wijzigde: Wachtrij Algemeen")
    assert "30 → 40" in entry


async def test_filters_show_what_was_asked_for_and_nothing_else(desk: Desk, clock: Clock) -> None:
    admin = await scenes.sign_in_admin(desk)
    await admin.must("POST", "/settings/queues", QUEUE)
    await admin.must("GET", "/settings/log")
    clock.shift(2 * 86_400)
    admin = await scenes.sign_in_admin(desk)
    eva = await desk.agent("eva", "Loket")
    await eva.must("GET", "/settings/log")
    async with db.transaction():
        await audit.note(None, "changed", "desk:1", {"name": ("Oud", "Nieuw")})

    async def shown(query: str) -> list[str]:
        admin.screen.show((await admin.must("GET", f"/settings/audit?{query}")).text)
        return [" ".join(node.text().split()).partition(":")[0] for node in admin.screen.css(".trail li > p")]

    assert await shown("") == [
        "De balie zelf wijzigde",
        "Eva zocht in",
        "Beheerder zocht in",
        "Beheerder maakte",
    ]
    assert await shown("what=made") == ["Beheerder maakte"]
    assert await shown("about=queue") == ["Beheerder maakte"]
    assert await shown("about=log") == ["Eva zocht in", "Beheerder zocht in"]
    assert await shown("agent=desk") == ["De balie zelf wijzigde"]
    assert await shown("agent=4") == ["Eva zocht in"]
    assert await shown("since=2026-03-12") == ["De balie zelf wijzigde", "Eva zocht in"]
    assert await shown("until=2026-03-11") == ["Beheerder zocht in", "Beheerder maakte"]
    assert await shown("agent=4&what=made") == []
    assert await shown("about=que") == []


async def test_page_after_page(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    async with db.transaction():
        for n in range(120):
            await audit.note(1, "changed", f"queue:{n}", {"answer_s": (n, n + 1)})
    seen: list[str] = []
    url = "/settings/audit?what=changed"
    while url:
        admin.screen.show((await admin.must("GET", url)).text)
        seen += [node.text() for node in admin.screen.css(".trail li > p")]
        older = [
            str(node.attributes["href"])
            for node in admin.screen.css("main nav a")
            if "before=" in str(node.attributes["href"])
        ]
        url = older[0] if older else ""
    assert len(seen) == len(set(seen)) == 120


async def test_what_is_secret_is_masked_even_if_a_line_held_it(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    async with db.transaction():
        await audit.note(
            1, "changed", "agent:1", {"password_hash": ("argon-oud", "argon-nieuw"), "email": None}
        )
    page = (await admin.must("GET", "/settings/audit")).text
    assert "password hash" in page
    assert "argon" not in page
    assert "(niet bewaard)" in page


async def test_the_button_checks_the_chain(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    for name in ("Een", "Twee", "Drie"):
        await admin.must("POST", "/settings/queues", QUEUE | {"name": name})
    answer = await admin.must("POST", "/settings/audit/verification")
    assert "Keten gecontroleerd: 3 regels, in orde" in answer.text
    await db.sql("UPDATE audit SET fields = '[]' WHERE id = 2")
    answer = await admin.must("POST", "/settings/audit/verification")
    assert "De keten is verbroken bij regel 2" in answer.text


async def test_only_who_may_reads_the_audit(desk: Desk) -> None:
    eva = await desk.agent("eva", "Loket")
    assert (await eva.get("/settings/audit")).status_code == 403
    assert (await eva.post("/settings/audit/verification")).status_code == 403
    assert "/settings/audit" not in (await eva.must("GET", "/settings/log")).text


async def test_a_long_chain_is_checked_to_its_end(connected: str, clock: Clock) -> None:
    async with db.transaction():
        for n in range(audit.CHECKED_AT_A_TIME + 5):
            await audit.note(None, "changed", "desk:1", {"version": (n, n + 1)})
    assert await audit.check() == audit.Checked(audit.CHECKED_AT_A_TIME + 5, None)
    last = (await Audit.select(Audit.id).order_by(Audit.id, ascending=False).first() or {})["id"]
    await db.sql("UPDATE audit SET what = 'looked' WHERE id = {}", last)
    assert (await audit.check()).broken == last


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_command_says_whether_the_audit_is_in_order(database: str, tmp_path: Path) -> None:
    file = tmp_path / "balie.sqlite3"

    def verified() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "app.py"), "verify-audit", "--data", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert "there is no desk" in verified().stderr
    assert not file.exists(), "nor is one made"
    shutil.copy(database.removeprefix("sqlite:///"), file)
    done = verified()
    assert (done.returncode, done.stdout) == (0, "balie: the audit is in order, 0 lines\n")
    with sqlite3.connect(file) as desk:
        row = ("2026-03-11 09:00:00+00:00", "made", "queue:1", json.dumps({}), "", "made up")
        desk.execute("INSERT INTO audit (at, what, about, fields, previous, hash) VALUES (?,?,?,?,?,?)", row)
    done = verified()
    assert done.returncode == 1
    assert "broken at line 1" in done.stderr
