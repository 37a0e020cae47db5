"""Signing snippets: how a site signs who its visitor is, in five languages, for one key of one widget.

Each needs nothing but what its language brings; only Python needs a package, for ES256 and RS256. The key
itself stands in the environment of the site's server, never in a page.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Signing:
    widget: str  # iss
    url: str  # aud
    kid: str
    algorithm: str


LANGUAGES = {"php": "PHP", "java": "Java", "csharp": "C#", "python": "Python", "javascript": "JavaScript"}


def of(signing: Signing) -> dict[str, str]:
    """By language, in the order of `LANGUAGES`."""
    return {language: filled(TEXTS[language, signing.algorithm], signing) for language in LANGUAGES}


def filled(text: str, signing: Signing) -> str:
    names = {"WIDGET": signing.widget, "URL": signing.url, "KID": signing.kid, "ALGORITHM": signing.algorithm}
    for name, value in names.items():
        text = text.replace(f"«{name}»", value)
    return text.strip()


PHP = """
<?php
// %NOTE%
function base64url(string $bytes): string {
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

function balieToken(string $id, string $name, string $email, array $vars = []): string {
    $header = ['alg' => '«ALGORITHM»', 'typ' => 'JWT', 'kid' => '«KID»'];
    $claims = [
        'iss' => '«WIDGET»',
        'aud' => '«URL»',
        'exp' => time() + 300,
        'jti' => bin2hex(random_bytes(16)),
        'sub' => $id,
        'name' => $name,
        'email' => $email,
        'vars' => (object) $vars,
    ];
    $text = base64url(json_encode($header)) . '.' . base64url(json_encode($claims));
    %SIGN%
    return $text . '.' . base64url($signature);
}
"""
PHP_ES256 = """openssl_sign($text, $der, getenv('BALIE_KEY'), OPENSSL_ALGO_SHA256);
    // OpenSSL writes two numbers as DER; a JWT has them in 32 bytes each.
    $first = substr($der, 4, ord($der[3]));
    $second = substr($der, 6 + ord($der[3]));
    $signature = '';
    foreach ([$first, $second] as $number) {
        $signature .= str_pad(ltrim($number, "\\0"), 32, "\\0", STR_PAD_LEFT);
    }"""

JAVA = """
// %NOTE%
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class BalieToken {
    static String base64url(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    static String json(String text) {
        StringBuilder quoted = new StringBuilder("\\"");
        for (char each : text.toCharArray()) {
            if (each == '"' || each == '\\\\') quoted.append('\\\\').append(each);
            else if (each < ' ') quoted.append(String.format("\\\\u%04x", (int) each));
            else quoted.append(each);
        }
        return quoted.append('"').toString();
    }

    public static String of(String id, String name, String email) throws GeneralSecurityException {
        String header = "{\\"alg\\":\\"«ALGORITHM»\\",\\"typ\\":\\"JWT\\",\\"kid\\":\\"«KID»\\"}";
        String claims = "{\\"iss\\":\\"«WIDGET»\\",\\"aud\\":\\"«URL»\\""
            + ",\\"exp\\":" + (System.currentTimeMillis() / 1000 + 300)
            + ",\\"jti\\":\\"" + UUID.randomUUID() + "\\""
            + ",\\"sub\\":" + json(id) + ",\\"name\\":" + json(name) + ",\\"email\\":" + json(email) + "}";
        String text = base64url(header.getBytes(StandardCharsets.UTF_8))
            + "." + base64url(claims.getBytes(StandardCharsets.UTF_8));
        return text + "." + base64url(sign(text.getBytes(StandardCharsets.UTF_8)));
    }

    static byte[] sign(byte[] text) throws GeneralSecurityException {
        %SIGN%
    }
}
"""
JAVA_HMAC = """Mac mac = Mac.getInstance("HmacSHA256");
        byte[] key = System.getenv("BALIE_KEY").getBytes(StandardCharsets.UTF_8);
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text);"""
JAVA_PRIVATE = """String pem = System.getenv("BALIE_KEY").replaceAll("-----[A-Z ]+-----|\\\\s", "");
        Signature signature = Signature.getInstance("%NAME%");
        signature.initSign(KeyFactory.getInstance("%KIND%")
            .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem))));
        signature.update(text);
        return signature.sign();"""

CSHARP = """
// %NOTE%
using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

public static class BalieToken
{
    static string Base64Url(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    public static string Of(
        string id, string name, string email, IDictionary<string, string>? vars = null)
    {
        var header = JsonSerializer.SerializeToUtf8Bytes(
            new { alg = "«ALGORITHM»", typ = "JWT", kid = "«KID»" });
        var claims = JsonSerializer.SerializeToUtf8Bytes(new
        {
            iss = "«WIDGET»",
            aud = "«URL»",
            exp = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 300,
            jti = Guid.NewGuid().ToString(),
            sub = id,
            name,
            email,
            vars = vars ?? new Dictionary<string, string>(),
        });
        var text = Base64Url(header) + "." + Base64Url(claims);
        return text + "." + Base64Url(Sign(Encoding.UTF8.GetBytes(text)));
    }

    static byte[] Sign(byte[] text)
    {
        var key = Environment.GetEnvironmentVariable("BALIE_KEY")!;
        %SIGN%
    }
}
"""

PYTHON = """
# %NOTE%
import base64, json, os, secrets, time
%IMPORT%

def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def balie_token(id: str, name: str = "", email: str = "", vars: dict | None = None) -> str:
    header = {"alg": "«ALGORITHM»", "typ": "JWT", "kid": "«KID»"}
    claims = {
        "iss": "«WIDGET»",
        "aud": "«URL»",
        "exp": int(time.time()) + 300,
        "jti": secrets.token_urlsafe(16),
        "sub": id,
        "name": name,
        "email": email,
        "vars": vars or {},
    }
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return text + "." + base64url(sign(text.encode()))


def sign(text: bytes) -> bytes:
%SIGN%
"""
PYTHON_HMAC = """    return hmac.digest(os.environ["BALIE_KEY"].encode(), text, "sha256")"""
PYTHON_ES256 = """    key = serialization.load_pem_private_key(os.environ["BALIE_KEY"].encode(), None)
    r, s = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")"""
PYTHON_RS256 = """    key = serialization.load_pem_private_key(os.environ["BALIE_KEY"].encode(), None)
    return key.sign(text, padding.PKCS1v15(), hashes.SHA256())"""
PYTHON_IMPORTS = (
    "# pip install cryptography\nfrom cryptography.hazmat.primitives import hashes, serialization\n"
)

JAVASCRIPT = """
// Node.js. %NOTE%
const crypto = require("node:crypto");

function balieToken(id, name = "", email = "", vars = {}) {
  const header = { alg: "«ALGORITHM»", typ: "JWT", kid: "«KID»" };
  const claims = {
    iss: "«WIDGET»",
    aud: "«URL»",
    exp: Math.floor(Date.now() / 1000) + 300,
    jti: crypto.randomUUID(),
    sub: id,
    name,
    email,
    vars,
  };
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const text = encode(header) + "." + encode(claims);
  const signature = %SIGN%;
  return text + "." + signature.toString("base64url");
}

module.exports = { balieToken };
"""

SHARED = "The secret is in the environment, as BALIE_KEY."
PRIVATE = "The private key, as PEM (PKCS #8), is in BALIE_KEY; its public key is the one given to Balie."
NOTES = {"HS256": SHARED, "ES256": PRIVATE, "RS256": PRIVATE}


def made(text: str, algorithm: str, sign: str, imports: str = "") -> str:
    text = text.replace("%NOTE%", NOTES[algorithm])
    return text.replace("%SIGN%", sign).replace("%IMPORT%", imports)


def java_private(name: str, kind: str) -> str:
    return JAVA_PRIVATE.replace("%NAME%", name).replace("%KIND%", kind)


TEXTS: dict[tuple[str, str], str] = {
    ("php", "HS256"): made(
        PHP, "HS256", "$signature = hash_hmac('sha256', $text, getenv('BALIE_KEY'), true);"
    ),
    ("php", "ES256"): made(PHP, "ES256", PHP_ES256),
    ("php", "RS256"): made(
        PHP, "RS256", "openssl_sign($text, $signature, getenv('BALIE_KEY'), OPENSSL_ALGO_SHA256);"
    ),
    ("java", "HS256"): made(JAVA, "HS256", JAVA_HMAC),
    ("java", "ES256"): made(JAVA, "ES256", java_private("SHA256withECDSAinP1363Format", "EC")),
    ("java", "RS256"): made(JAVA, "RS256", java_private("SHA256withRSA", "RSA")),
    ("csharp", "HS256"): made(
        CSHARP, "HS256", "return HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), text);"
    ),
    ("csharp", "ES256"): made(
        CSHARP,
        "ES256",
        "using var ec = ECDsa.Create();\n        ec.ImportFromPem(key);\n"
        "        return ec.SignData(text, HashAlgorithmName.SHA256);",
    ),
    ("csharp", "RS256"): made(
        CSHARP,
        "RS256",
        "using var rsa = RSA.Create();\n        rsa.ImportFromPem(key);\n"
        "        return rsa.SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);",
    ),
    ("python", "HS256"): made(PYTHON, "HS256", PYTHON_HMAC, "import hmac\n"),
    ("python", "ES256"): made(
        PYTHON,
        "ES256",
        PYTHON_ES256,
        PYTHON_IMPORTS + "from cryptography.hazmat.primitives.asymmetric import ec\n"
        "from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature\n",
    ),
    ("python", "RS256"): made(
        PYTHON,
        "RS256",
        PYTHON_RS256,
        PYTHON_IMPORTS + "from cryptography.hazmat.primitives.asymmetric import padding\n",
    ),
    ("javascript", "HS256"): made(
        JAVASCRIPT, "HS256", 'crypto.createHmac("sha256", process.env.BALIE_KEY).update(text).digest()'
    ),
    ("javascript", "ES256"): made(
        JAVASCRIPT,
        "ES256",
        'crypto.sign("sha256", Buffer.from(text), { key: process.env.BALIE_KEY, dsaEncoding: "ieee-p1363" })',
    ),
    ("javascript", "RS256"): made(
        JAVASCRIPT, "RS256", 'crypto.sign("sha256", Buffer.from(text), process.env.BALIE_KEY)'
    ),
}
