"""Waits: how long one waits for the writer, or for a connection to PostgreSQL; counted for `metrics`."""

from collections.abc import Awaitable
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")


class Line:
    """Those who wait now, and all who ever waited and had their turn, in this process."""

    def __init__(self) -> None:
        self.waiting = self.served = 0
        self.seconds = 0.0

    async def measure(self, turn: Awaitable[T]) -> T:
        began = perf_counter()
        self.waiting += 1
        try:
            served = await turn
        finally:
            self.waiting -= 1
        self.served += 1
        self.seconds += perf_counter() - began
        return served


line = Line()
