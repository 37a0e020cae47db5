"""The two engines under Piccolo."""

import asyncpg

from db.connections import SqliteUniqueViolation
from db.postgresql import Postgres
from db.sqlite import Sqlite

Database = Sqlite | Postgres
UniqueViolation: tuple[type[Exception], ...] = (asyncpg.UniqueViolationError, SqliteUniqueViolation)
