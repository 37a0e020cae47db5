"""Foreign keys as Piccolo has them, but quick: its own looks through all attributes of a column at each use
of one, for references by name, which this schema has none of. It was a fifth of the time of a busy desk."""

from typing import Any

from piccolo import columns
from piccolo.columns.base import Column


class ForeignKey(columns.ForeignKey[Any]):
    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        return super().__getattribute__(name) if isinstance(value, Column) else value
