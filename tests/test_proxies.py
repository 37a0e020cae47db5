"""Whose address a request comes from, behind a web server in front."""

from pathlib import Path

from tests.conftest import Clock, serving
from tests.people import Person

WRONG = {"username": "an", "password": "verkeerd"}
TRIES = 10


async def tries(person: Person, addresses: list[str]) -> list[int]:
    return [
        (await person.post("/session", WRONG, headers={"X-Forwarded-For": address})).status_code
        for address in addresses
    ]


async def test_a_trusted_proxy_is_believed(example_database: str, clock: Clock, tmp_path: Path) -> None:
    async with serving(example_database, tmp_path, BALIE_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8") as desk:
        somebody = desk.nobody()
        assert await tries(somebody, ["203.0.113.7"] * (TRIES + 1)) == [422] * TRIES + [429]
        assert await tries(somebody, ["203.0.113.8"]) == [422], "comes from elsewhere"


async def test_nobody_else_is(example_database: str, clock: Clock, tmp_path: Path) -> None:
    async with serving(example_database, tmp_path) as desk:
        forged = [f"203.0.113.{number}" for number in range(TRIES + 1)]
        assert await tries(desk.nobody(), forged) == [422] * TRIES + [429]
