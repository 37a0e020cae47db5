"""The register says of all that is stored what it is, why, how long and who sees it."""

import pytest

from features import register
from tests import scenes
from tests.conftest import Desk


def test_every_column_is_documented_and_nothing_else() -> None:
    assert register.undocumented() == set()


def test_a_column_that_is_not_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(register.SAID, "chat", ("talk", {"person": "visitor_name"}))
    assert "chat.visitor_email" in register.undocumented()
    monkeypatch.delitem(register.SAID, "rating")
    assert "rating.remark" in register.undocumented()


async def test_the_register_is_a_page_and_a_file(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/privacy/register")).text)
    assert "visitor_email" in admin.screen.text("tbody")
    assert "wie een bezoeker is" in admin.screen.text("tbody")
    answer = await admin.get("/settings/privacy/register/file")
    assert "attachment" in answer.headers["content-disposition"]
    assert "visitor_email" in answer.text
    assert answer.text.count("\n") == len(register.lines()) + 1
