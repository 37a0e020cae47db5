"""The tables that only reports read."""

from typing import Any

from piccolo.columns import ForeignKey, Serial, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.columns.reference import LazyTableReference
from piccolo.table import Table

from db.clock import now


class Turn(Table, tablename="turn"):
    """From that moment on the buttons of a queue were so, until the next one."""

    id: Serial
    queue: ForeignKey[Any] = ForeignKey(
        references=LazyTableReference("Queue", module_path="db.tables"),
        null=False,
        on_delete=OnDelete.cascade,
    )
    what = Text()  # green; or why blue: closed, nobody, paused, full; or down: the desk itself was
    turned_at = Timestamptz(default=now)
