"""The example site."""

import re

from db.settings import settings
from tests.conftest import Desk


async def test_two_pages_of_a_site_carry_the_button(desk: Desk) -> None:
    for path in ("/demo", "/demo/2"):
        page = (await desk.nobody().client.get(path)).text
        assert '<script async src="/embed.js" data-widget="voorbeeld"></script>' in page
        assert "Gemeente Voorbeeld" in page
    assert (await desk.nobody().client.get("/widget/voorbeeld/info")).status_code == 200


async def test_nothing_that_is_filled_in_is_sent(desk: Desk) -> None:
    page = (await desk.nobody().client.get("/demo")).text
    fields = re.findall(r"<(?:input|select|textarea)\b[^>]*>", page)
    assert len(fields) > 5
    assert not [field for field in fields if " name=" in field]


def test_a_real_desk_has_no_example_site() -> None:
    import app

    settings.load({})
    assert not [route for route in app.create_app().routes if route.path.startswith("/demo")]
