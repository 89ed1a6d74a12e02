"""SCRAM-SHA-256 verifiers: a password set without ever being in a statement, or in a log. Pure.

Source: RFC 5802, RFC 7677; PostgreSQL 10 to 18, scram-common.c and auth-scram.c.
"""

import base64
import hashlib
import hmac
import os
import re
import unicodedata

_ITERATIONS = 4096
_SALT_BYTES = 16
_FORM = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


def verifier(password: str, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """Give what PostgreSQL stores for a password; with a new salt unless one is given."""
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    # SASLprep, for what a password is made of: compatible letters become one.
    plain = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", plain, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (
        base64.b64encode(part).decode() for part in (salt, stored_key, server_key)
    )
    return f"SCRAM-SHA-256${iterations}:{salt_text}${stored_text}:{server_text}"


def fits(password: str, stored: str) -> bool:
    """Tell whether a stored verifier is that of the password."""
    found = _FORM.fullmatch(stored)
    if found is None:
        return False
    wanted = verifier(password, base64.b64decode(found[2]), int(found[1]))
    return hmac.compare_digest(wanted, stored)
