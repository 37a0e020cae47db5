"""The tables that only reports read."""

from piccolo.columns import Serial, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from db.clock import now
from db.columns import ForeignKey
from db.tables.desk import Queue


class Turn(Table, tablename="turn"):
    """From that moment on the buttons of a queue were so, until the next one."""

    id: Serial
    queue = ForeignKey(references=Queue, null=False, on_delete=OnDelete.cascade)
    what = Text()  # green; or why blue: closed, nobody, paused, full; or down: the desk itself was
    turned_at = Timestamptz(default=now)
