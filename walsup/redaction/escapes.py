"""How programs write a text inside another one: quoted, escaped, percent-encoded. Pure."""

import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

# Also in several layers: %2527, \\\\u0027, &amp;#39;.
_ESCAPE = re.compile(
    r"%(?:25)*(?P<percent>[0-9A-Fa-f]{2})"
    r"|\\{1,32}u(?P<high>[dD][89abAB][0-9A-Fa-f]{2})\\{1,32}u(?P<low>[dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|\\{1,32}(?:u\{(?P<rust>[0-9A-Fa-f]{1,6})\}|u(?P<u4>[0-9A-Fa-f]{4})|U(?P<u8>[0-9A-Fa-f]{8}))"
    r"|\\{1,32}(?:x(?P<hex>[0-9A-Fa-f]{2})|(?P<octal>[0-3][0-7]{2}))"
    r"|\\{1,32}[abefnrtv](?P<control>)"
    r"|&(?:amp;)*(?:#(?P<decimal>\d{1,7})|#[xX](?P<entity>[0-9A-Fa-f]{1,6})"
    r"|(?P<name>amp|lt|gt|quot|apos));"
    r"|(?P<one>.)",
    re.DOTALL,
)
_NAMES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_GO_JSON = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_MOST_CODE_POINT = 0x10FFFF


def plain(text: str) -> tuple[bytes, list[tuple[int, int]]]:
    """Return a text without escapes, quotes, blanks, backslashes and plus signs, in UTF-8.

    With each byte's place in the text. All ways to quote a text lead to the same bytes.
    """
    reduced = bytearray()
    origins: list[tuple[int, int]] = []
    for found in _ESCAPE.finditer(text):
        piece = _unescaped(found)
        reduced += piece
        origins += [found.span()] * len(piece)
    return bytes(reduced), origins


def _unescaped(found: re.Match[str]) -> bytes:
    kind = found.lastgroup
    if kind == "one":
        character = found["one"]
    elif kind in ("percent", "hex"):
        return _kept(bytes([int(found[kind], 16)]))
    elif kind == "octal":
        return _kept(bytes([int(found["octal"], 8)]))
    elif kind == "low":
        pair = (int(found["high"], 16) - 0xD800 << 10) + int(found["low"], 16) - 0xDC00
        character = chr(0x10000 + pair)
    elif kind == "decimal":
        character = _character(int(found["decimal"]))
    elif kind == "name":
        character = _NAMES[found["name"]]
    elif kind == "control":
        return b""
    else:
        character = _character(int(found[kind or ""], 16))
    return _kept(character.encode("utf-8", "surrogatepass"))


def _character(number: int) -> str:
    return chr(number) if number <= _MOST_CODE_POINT else ""


def _kept(piece: bytes) -> bytes:
    return b"" if len(piece) == 1 and (piece <= b" " or piece in b"'\"\\+\x7f`") else piece


def forms(text: str) -> frozenset[str]:
    """Return the text as SQL, JSON, URLs, XML and shells write it."""
    return frozenset(form for form in _forms(text) if form)


def _forms(text: str) -> Iterator[str]:
    yield text
    doubled = text.replace("\\", "\\\\")
    for one in (text, doubled):
        yield one.replace("'", "''")
        yield one.replace('"', '""')
        yield one.replace("'", "\\'")
        yield one.replace('"', '\\"')
    yield doubled
    yield text.replace("'", "'\\''")
    yield text.replace("'", "'\"'\"'")
    yield re.sub(r"([^\w./:@%+-])", r"\\\1", text)
    for as_json in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield as_json
        yield as_json.translate(_GO_JSON)
        yield json.dumps(as_json)[1:-1]
    yield "\\x" + text.encode("utf-8", "surrogateescape").hex()
    yield repr(text)[1:-1]
    yield repr(text.encode("utf-8", "surrogateescape"))[2:-1]
    for safe in ("", "/", "!'()*~"):
        encoded = quote(text, safe=safe, errors="surrogateescape")
        yield encoded
        yield re.sub("%..", lambda found: found[0].lower(), encoded)
        yield quote(encoded, safe="")
    yield quote_plus(text, errors="surrogateescape")
    for escaped in (html.escape(text), html.escape(text, quote=False)):
        yield escaped
        yield escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        yield escaped.replace("&#x27;", "&apos;")
