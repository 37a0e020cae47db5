"""A site that is not ours, on an origin of its own: its pages carry the button, some make it hard."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

STRICT = (
    "default-src 'none'; script-src {ours}; connect-src {ours}; frame-src {ours};"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
HOSTILE = """
  * { all: unset !important; display: inline !important; float: left !important }
  * { pointer-events: none !important }
  html, body { transform: rotate(4deg) scale(.5) !important; filter: blur(1px) !important }
  div, button, iframe { display: none !important; width: 1px !important; z-index: -1 !important }
  :root { --paper: red; --h: 10px; --top: 300px; --seen: 20px }
"""
CROWDED = """
  html, body { height: 100%; margin: 0; overflow: hidden }
  html { display: grid; gap: 40px }
  nav { position: fixed; inset: auto 0 0; height: 72px; z-index: 2147483647; background: #ddd }
"""


class HostSite:
    """Its own computer knows it by two names, which are two origins."""

    def __init__(self, ours: str, port: int) -> None:
        self.ours = ours
        self.url = f"http://localhost:{port}"
        self.other = f"http://127.0.0.1:{port}"
        self.go_on = threading.Event()  # with the body of /slow

    def script(self, more: str = "") -> str:
        return f'<script async src="{self.ours}/embed.js" data-widget="voorbeeld" {more}></script>'

    def page(self, path: str) -> tuple[str, dict[str, str]] | None:
        """The HTML and the headers."""
        policy = {"Content-Security-Policy": STRICT.format(ours=self.ours)}
        calls = "() => { window.told = 1 }, () => Balie.open()"
        early = f"<script>(window.Balie = window.Balie || []).push({calls})</script>"
        found: dict[str, tuple[str, dict[str, str]]] = {
            "/": (self.html(self.script()), {}),
            "/next": (self.html(self.script()), {}),
            "/strict": (self.html(self.script()), policy),
            "/strict/next": (self.html(self.script()), policy),
            "/hostile": (self.html(f"<style>{HOSTILE}</style>{self.script()}"), {}),
            "/crowded": (
                self.html(f"<style>{CROWDED}</style>{self.script('data-offset=72')}", "<nav>x</nav>"),
                {},
            ),
            "/twice": (self.html(self.script() * 2, self.script() + '<p id="Balie">Balie</p>'), {}),
            "/rtl": (self.html(self.script(), root='lang="ar" dir="rtl"'), {}),
            "/quirks": (self.html(self.script(), doctype="", root=""), {}),
            "/early": (self.html(early + self.script('data-lang="fr"')), {}),
            "/slow": (self.html(self.script()), {}),
            "/without": (self.html(""), {}),
        }
        return found.get(path)

    def html(
        self, head: str, body: str = "", root: str = 'lang="nl"', doctype: str = "<!doctype html>"
    ) -> str:
        return f"""{doctype}<html {root}><head><meta charset="utf-8"><title>Site</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>
            <body><main><h1>Een aanvraag</h1><p><label>Naam <input id="field"></label></p>
            <p><a href="/next">Volgende</a></p></main>{body}</body></html>"""


@contextmanager
def running(ours: str) -> Iterator[HostSite]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = site.page(urlsplit(self.path).path)
            html, headers = found or ("<!doctype html><title>404</title>", {})
            self.send_response(200 if found else 404)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            head, body, rest = html.encode().partition(b"<body>")
            self.wfile.write(head)
            if self.path == "/slow":
                site.go_on.wait(60)
            self.wfile.write(body + rest)

        def log_message(self, *_said: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        site = HostSite(ours, server.server_port)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield site
        finally:
            server.shutdown()
            serving.join()
