"""A backup is taken while everybody talks."""

import asyncio
from pathlib import Path

import db
from tests.faults.conftest import Server
from tests.faults.people import Room
from tests.test_backup import backed_up, restored, verified


async def test_what_was_taken_before_it_is_in_it_and_of_the_rest_a_beginning(
    room: Room, server: Server, tmp_path: Path, long: bool
) -> None:
    talking = asyncio.create_task(room.converse(50 if long else 10, pause_s=0.05))
    await room.until(lambda: len(room.keys("taken")) > 20)
    before = room.keys("taken")
    file = await backed_up(tmp_path / "backup.zip", server.database, server.data)
    assert not talking.done(), "or it was not under load"
    await talking
    there, data = f"sqlite:///{tmp_path}/there/balie.sqlite3", tmp_path / "there"
    await restored(file, there, data)
    assert (await verified(database=there, data=data)).status == 0
    await db.connect(there)
    rows, notes = await room.written()
    await db.disconnect()
    keys = [row["key"] for row in [*rows, *notes] if row.get("kind", "text") == "text"]
    assert before <= set(keys) < room.keys("taken")
    assert len(keys) == len(set(keys))
    for writer in room.writers:
        own = [key for key in keys if key in writer.tried]
        assert own == writer.tried[: len(own)], "what each has said, up to some moment"
