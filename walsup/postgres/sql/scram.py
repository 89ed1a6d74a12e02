"""SCRAM-SHA-256 verifiers, so that a password is in no statement and in no log. Pure.

Source: RFC 5802, RFC 7677; PostgreSQL 10 to 18, scram-common.c and auth-scram.c.
"""

import base64
import hashlib
import hmac
import os
import re
import stringprep
import unicodedata

_PROHIBITED = (
    *(stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22),
    *(stringprep.in_table_c3, stringprep.in_table_c4, stringprep.in_table_c5),
    *(stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8),
    stringprep.in_table_c9,
)
_ITERATIONS = 4096
_SALT_BYTES = 16
_FORM = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


def verifier(password: str, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """Return what PostgreSQL stores for a password; with a new salt unless one is given."""
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    plain = prepared(password).encode(errors="surrogateescape")
    salted = hashlib.pbkdf2_hmac("sha256", plain, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (
        base64.b64encode(part).decode() for part in (salt, stored_key, server_key)
    )
    return f"SCRAM-SHA-256${iterations}:{salt_text}${stored_text}:{server_text}"


def prepared(password: str) -> str:
    """Return the password after SASLprep; unchanged if that rejects it, as in PostgreSQL.

    Source: RFC 4013; PostgreSQL 10 to 18, saslprep.c.
    """
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter
        for letter in password
        if stringprep.in_table_c12(letter) or not stringprep.in_table_b1(letter)
    )
    found = unicodedata.normalize("NFKC", mapped)
    prohibited = any(table(letter) for table in _PROHIBITED for letter in found)
    return password if not found or prohibited or _mixes_directions(found) else found


def _mixes_directions(text: str) -> bool:
    """Return whether right-to-left letters are mixed, or do not begin and end the text."""
    if not any(stringprep.in_table_d1(letter) for letter in text):
        return False
    ends = all(stringprep.in_table_d1(letter) for letter in (text[0], text[-1]))
    return not ends or any(stringprep.in_table_d2(letter) for letter in text)


def fits(password: str, stored: str) -> bool:
    """Return whether a stored verifier is that of the password."""
    found = _FORM.fullmatch(stored)
    if found is None:
        return False
    wanted = verifier(password, base64.b64decode(found[2]), int(found[1]))
    return hmac.compare_digest(wanted, stored)
