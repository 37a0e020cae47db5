"""Security.txt: whom to tell of a leak, in the form that finders look for (RFC 9116).

GET /.well-known/security.txt   404 as long as the desk names nobody
"""

from datetime import timedelta

from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException

from db.clock import now
from db.settings import settings
from features import accessibility, desk
from features.access import public
from layouts import LANGUAGES

VALID_DAYS = 180  # from today on: a page that is asked for anew never runs out


@get("/.well-known/security.txt", guards=[public])
async def security_txt() -> Response[str]:
    contact = desk.facts.security_contact or desk.facts.accessibility_contact
    if not contact:
        raise NotFoundException
    own = desk.facts.language
    lines = {
        "Contact": accessibility.href(contact),
        "Expires": f"{now() + timedelta(days=VALID_DAYS):%Y-%m-%dT00:00:00Z}",
        "Preferred-Languages": ", ".join([own, *(code for code in LANGUAGES if code != own)]),
        "Canonical": f"{settings.url}/.well-known/security.txt",
    }
    text = "".join(f"{name}: {said}\n" for name, said in lines.items())
    return Response(text, media_type=MediaType.TEXT)


routes = [security_txt]
