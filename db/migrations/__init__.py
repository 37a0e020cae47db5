"""The steps that made the tables what they are: one set of SQL files for both databases, in order of name.

Each is applied once, whole or not at all, by whichever process comes first, at `db.connect`. A file is plain
SQL that both databases read, but for `{id}`, a primary key that counts up by itself, `{ref}`, the type of a
reference to one, and statements for one of the two, which begin with `{sqlite}` or `{postgresql}`. A
statement ends with a semicolon at the end of a line. SQLite cannot change a column: make a new table, copy
the rows, rename it. A file that has been released never changes again.
"""

from pathlib import Path

from piccolo.querystring import QueryString

from db.clock import now
from db.engine import Database

HERE = Path(__file__).parent
LOCK = 6_284_177_553  # any number that nobody else locks
WORDS = {
    "sqlite": {"{id}": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL", "{ref}": "INTEGER"},
    "postgresql": {"{id}": "BIGSERIAL PRIMARY KEY", "{ref}": "BIGINT"},
}


class OfNewer(RuntimeError):
    """The database; which it has to be served by."""


async def apply(engine: Database) -> None:
    """Applies what this database has not had yet."""
    # On SQLite, dropping a table that is being rebuilt would otherwise delete what refers to it.
    if engine.dialect == "sqlite":
        await engine.run_ddl("PRAGMA foreign_keys = OFF")
    while await apply_next(engine):
        pass
    if engine.dialect == "sqlite":
        await engine.run_ddl("PRAGMA foreign_keys = ON")


async def apply_next(engine: Database) -> str | None:
    """Applies one migration and returns its name; None when there is none left."""
    async with engine.transaction():
        await engine.lock(LOCK)
        applied = await _applied(engine)
        files = sorted(HERE.glob("*.sql"))
        if unknown := applied - {file.stem for file in files}:
            raise OfNewer(f"this database was made by a newer Balie: {', '.join(sorted(unknown))}")
        waiting = [file for file in files if file.stem not in applied]
        if not waiting:
            return None
        for statement in statements(waiting[0].read_text("utf-8"), engine.dialect):
            await engine.run_ddl(statement)
        await _check_references(engine)
        name = waiting[0].stem
        record = "INSERT INTO migration (name, applied_at) VALUES ({}, {})"
        await engine.run_querystring(QueryString(record, name, now()))
        return name


def statements(text: str, dialect: str) -> list[str]:
    for word, meaning in WORDS[dialect].items():
        text = text.replace(word, meaning)
    own, other = f"{{{dialect}}}", next(f"{{{name}}}" for name in WORDS if name != dialect)
    text = text.replace(own, "")
    return [statement for part in text.split(";\n") if (statement := part.strip()) and other not in statement]


async def _applied(engine: Database) -> set[str]:
    columns = "name TEXT PRIMARY KEY NOT NULL, applied_at TIMESTAMPTZ NOT NULL"
    await engine.run_ddl(f"CREATE TABLE IF NOT EXISTS migration ({columns})")
    rows = await engine.run_ddl("SELECT name FROM migration")
    return {row["name"] for row in rows}


async def _check_references(engine: Database) -> None:
    if engine.dialect == "sqlite" and (broken := await engine.run_ddl("PRAGMA foreign_key_check")):
        raise RuntimeError(f"a migration leaves references to rows that are not there: {broken[:5]}")
