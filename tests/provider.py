"""A provider of the tests' own: OpenID Connect on a socket, with real keys. It misbehaves when told to.

It signs with PyJWT, and Balie checks with another library: neither believes in a mistake of the other.
"""

import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT, SECRET = "balie", "geheim: met een / en een %"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # takes too long to make for each test
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())

PEOPLE: dict[str, dict[str, Any]] = {
    "an": {
        "sub": "u-1",
        "email": "An@voorbeeld.be",
        "email_verified": True,
        "given_name": "An",
        "groups": ["loket"],
    },
    "dirk": {
        "sub": "u-2",
        "email": "dirk@voorbeeld.be",
        "email_verified": True,
        "name": "Dirk",
        "groups": ["loket"],
    },
    "beheer": {
        "sub": "u-3",
        "email": "beheer@voorbeeld.be",
        "email_verified": True,
        "name": "Beheer",
        "groups": ["ict"],
    },
}


class Provider:
    """What it knows, and how it misbehaves."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.people = json.loads(json.dumps(PEOPLE))
        self.keys: dict[str, tuple[Any, str]] = {"een": (RSA, "RS256")}
        self.signs_with = "een"
        self.published: list[str] | None = None  # of the keys; None: all
        self.down: set[str] = set()  # paths that answer with an error
        self.claims: dict[str, Any] = {}  # said otherwise; None: not at all
        self.facts: dict[str, Any] = {}  # of the discovery, said otherwise
        self.sign: Callable[[dict[str, Any]], str] | None = None
        self.only_by_userinfo: set[str] = set()
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """For the desk."""
        return {
            "BALIE_OIDC_ISSUER": self.url,
            "BALIE_OIDC_CLIENT_ID": CLIENT,
            "BALIE_OIDC_CLIENT_SECRET": SECRET,
            "BALIE_OIDC_NAME": "Voorbeeld-ID",
        }

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def discovery(self) -> dict[str, Any]:
        paths = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "jwks_uri": "/keys",
            "userinfo_endpoint": "/userinfo",
            "end_session_endpoint": "/end",
        }
        return {"issuer": self.url, **{name: self.url + path for name, path in paths.items()}, **self.facts}

    def jwks(self) -> dict[str, Any]:
        kids = self.keys if self.published is None else self.published
        return {"keys": [public(*self.keys[kid], kid) for kid in kids]}

    def code_for(self, username: str, query: str) -> str:
        """Where the browser goes on to."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"]
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "username": username}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token_for(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        client, _sep, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote(client), unquote(secret)) != (CLIENT, SECRET) and (client, secret) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"], None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if asked is None or proof.decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        token = {"id_token": self.id_token(asked), "access_token": asked["username"], "token_type": "Bearer"}
        return 200, token

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(self.now())
        told = {
            name: value
            for name, value in self.people[asked["username"]].items()
            if name not in self.only_by_userinfo
        }
        own = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {name: value for name, value in {**told, **own, **self.claims}.items() if value is not None}
        if self.sign:
            return self.sign(claims)
        key, algorithm = self.keys[self.signs_with]
        return jwt.encode(claims, key, algorithm, headers={"kid": self.signs_with})

    # -- tokens that nobody should believe --

    def unsigned(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, "", "none")

    def with_the_public_key_as_secret(self, claims: dict[str, Any]) -> str:
        """As PyJWT would refuse to do it."""
        pem = RSA.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        parts = [{"alg": "HS256", "typ": "JWT", "kid": "een"}, claims]
        text = ".".join(
            base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts
        )
        mac = hmac.digest(pem, text.encode(), "sha256")
        return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def by_somebody_else(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, OTHER_RSA, "RS256", headers={"kid": "een"})


def public(key: Any, algorithm: str, kid: str) -> dict[str, Any]:
    how: Any = RSAAlgorithm if algorithm.startswith("RS") else ECAlgorithm
    return {**how.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": algorithm}


def handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, urlsplit(self.path).query
            provider.asked.append(path)
            if path in provider.down:
                self.answer(500, "out of order")
            elif path == "/.well-known/openid-configuration":
                self.answer(200, json.dumps(provider.discovery()), "application/json")
            elif path == "/keys":
                self.answer(200, json.dumps(provider.jwks()), "application/json")
            elif path == "/userinfo":
                username = self.headers["Authorization"].removeprefix("Bearer ")
                self.answer(200, json.dumps(provider.people[username]), "application/json")
            elif path == "/authorize":
                self.answer(200, form(provider, query))
            elif path == "/end":
                self.go_to(parse_qs(query)["post_logout_redirect_uri"][0])
            else:
                self.answer(404, "not here")

        def do_POST(self) -> None:
            path, query = urlsplit(self.path).path, urlsplit(self.path).query
            provider.asked.append(path)
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            data = {name: values[0] for name, values in parse_qs(sent).items()}
            if path in provider.down:
                self.answer(500, "out of order")
            elif path == "/authorize":
                self.go_to(provider.code_for(data["username"], query))
            elif path == "/token":
                status, token = provider.token_for(data, self.headers.get("Authorization", ""))
                self.answer(status, json.dumps(token), "application/json")

        def answer(self, status: int, text: str, media: str = "text/html; charset=utf-8") -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def go_to(self, url: str) -> None:
            self.send_response(302)
            self.send_header("Location", url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def form(provider: Provider, query: str) -> str:
    buttons = "".join(
        f'<p><button name="username" value="{name}">{name.title()}</button></p>' for name in provider.people
    )
    return (
        '<!doctype html><html lang="nl"><head><title>Voorbeeld-ID</title>'
        '<link rel="icon" href="data:,"></head>'
        f'<body><main><h1>Voorbeeld-ID</h1><form method="post" action="/authorize?{html.escape(query)}">'
        f"{buttons}</form></main></body></html>"
    )
