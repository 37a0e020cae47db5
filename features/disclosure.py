"""Disclosure: all that is kept of some conversations, for whom they are about: data.json and files, zipped.

Every row that refers to one of them is in it, by table and column, but keys and fingerprints by which nobody
knows a person. What the desk keeps to itself, such as private messages, stands apart, under "private": the
desk judges what of it is given out.
"""

import asyncio
import json
import secrets
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from litestar.response import Stream

from db.clock import now
from db.tables import Block, Chat, Emergency, Identity, PrivateAttachment, PrivateMessage
from features import desk, files, forgetting

UNTOLD = ("key", "token_hash", "address_hash", "asked_by_hash", "thumbnail")
PRIVATE = (PrivateMessage, PrivateAttachment, Block, Emergency)
TYPED = ("data", "options", "chosen", "variables")  # JSON within a row


async def zipped(chats: Sequence[int]) -> Stream:
    data = await gathered(chats)
    path = await asyncio.to_thread(packed, data, await held_files(chats))
    headers = {
        "Content-Disposition": 'attachment; filename="balie.zip"',
        "Cache-Control": "private, no-store",
    }
    return Stream(sent(path), media_type="application/zip", headers=headers)


async def gathered(chats: Sequence[int]) -> dict[str, Any]:
    """By name of the table, rows by name of the column."""
    found: dict[str, Any] = {"desk": desk.facts.name, "made_at": now().isoformat()}
    rows = await Chat.select().where(Chat.id.is_in(list(chats))).order_by(Chat.id)
    found["chat"] = [told(row) for row in rows]
    visitors = [row["visitor"] for row in rows]
    known = await Identity.select().where(Identity.visitor.is_in(visitors))
    found["identity"] = [told(row) for row in known]
    for table, column in forgetting.referring_to(Chat):
        rows = await table.select().where(column.is_in(list(chats))).order_by(table._meta.primary_key)
        into = found.setdefault("private", {}) if table in PRIVATE else found
        into[table._meta.tablename] = [told(row) for row in rows]
    return found


def told(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in UNTOLD}
    return {name: json.loads(value) if name in TYPED else value for name, value in shown.items()}


async def held_files(chats: Sequence[int]) -> dict[str, Path]:
    """By their name in the zip."""
    found = {}
    for table in files.tables:
        rows = await table.select().where(table.chat.is_in(list(chats))).where(table.sha256 != "")
        for row in rows:
            plain = "".join(each if each.isalnum() or each in "._- " else "_" for each in row["name"])
            found[f"{table._meta.tablename}-{row['id']}-{plain}"] = files.place(row["sha256"])
    return found


def packed(data: dict[str, Any], attachments: dict[str, Path]) -> Path:
    made = files.inbox() / secrets.token_hex(16)
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(data, ensure_ascii=False, indent=2, default=str))
        for name, path in attachments.items():
            if path.exists():
                archive.write(path, f"files/{name}")
    return made


async def sent(path: Path) -> AsyncIterator[bytes]:
    try:
        async for chunk in files.read(path):
            yield chunk
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


routes: list[Any] = []
