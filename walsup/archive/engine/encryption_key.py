"""Which key the archive's objects are encrypted with, as a fingerprint that reveals no key.

Whatever decides whether today's settings can read yesterday's objects is part of it. What a server
decrypts (SSE-S3, SSE-KMS), and the credentials of a key service, are not. Source: WAL-G 3.0.8,
internal/configure_crypter.go and internal/crypto; WAL-RUS 0.4.1, src/crypto.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from walsup.archive.engine.capabilities import unprefixed
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.settings import Settings

NONE = "none"
_ROUNDS = 100_000  # slow enough for a weak passphrase; 60 ms of one core, once at a start
_DIGEST_BYTES = 8
# The method, and the settings (without WALG_ or WALE_) that say which key it is.
_TRANSFORMED = "libsodium"
_METHODS = (
    (_TRANSFORMED, ("LIBSODIUM_KEY", "LIBSODIUM_KEY_PATH", "LIBSODIUM_KEY_TRANSFORM")),
    (
        "openpgp",
        (
            *("PGP_KEY", "PGP_KEY_PATH", "PGP_KEY_PASSPHRASE", "GPG_KEY_ID"),
            *("ENVELOPE_PGP_KEY", "ENVELOPE_PGP_KEY_PATH", "ENVELOPE_PGP_YC_CSE_KMS_KEY_ID"),
        ),
    ),
    ("kms", ("CSE_KMS_ID", "CSE_KMS_REGION", "YC_CSE_KMS_KEY_ID")),
    ("sse-c", ("S3_SSE_C",)),
)
_PATH = "_PATH"
_TRANSFORM = "LIBSODIUM_KEY_TRANSFORM"


class Part(NamedTuple):
    """A setting that decides about the key: its method, its name and its value."""

    method: str
    name: str
    text: str


def fingerprint(settings: Settings, system_id: int) -> str:
    """Return the method and a salted digest of the key; NONE without encryption.

    Takes a tenth of a second: not for the event loop.

    Raises:
        FaultError: a key file cannot be read.
    """
    parts = list(_parts(settings))
    if not parts:
        return NONE
    material = "\0".join(f"{part.name}={part.text}" for part in parts)
    salt = f"walsup {system_id}".encode()
    found = hashlib.pbkdf2_hmac(
        "sha256", material.encode(errors="surrogateescape"), salt, _ROUNDS, _DIGEST_BYTES
    )
    methods = dict.fromkeys(part.method for part in parts)
    return f"{'+'.join(methods)}:{found.hex()}"


def is_set(settings: Settings) -> bool:
    """Return whether the engine encrypts what it stores. Key files are not read."""
    return any(_given_names(settings).values())


def key_files(settings: Settings) -> tuple[tuple[str, int, int, int], ...]:
    """Return each key file with a stamp that shows its replacement; nothing for an absent one."""
    found = []
    for name, text in sorted(settings.passed_on.items()):
        if text and unprefixed(name).endswith(_PATH) and unprefixed(name) in _NAMES:
            try:
                status = Path(text).stat()
            except OSError:
                continue
            found.append((text, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def words(told: str) -> str:
    """Return how objects with this fingerprint are encrypted, for an operator."""
    return "not encrypted" if told == NONE else f"encrypted ({told.partition(':')[0]})"


def _parts(settings: Settings) -> Iterator[Part]:
    given = _given(settings)
    for method, keys in _given_names(settings).items():
        for name in keys:
            inline = name.removesuffix(_PATH)
            if name.endswith(_PATH) and inline in keys:
                continue  # both engines prefer the key itself
            # The same key in a file or in the variable has the same fingerprint.
            text = _content(given[name]) if name.endswith(_PATH) else given[name]
            yield Part(method, inline, text.strip())
        if keys and method == _TRANSFORMED:
            transform = given.get(_TRANSFORM, NONE).strip().lower()
            yield Part(method, _TRANSFORM, transform)


def _given(settings: Settings) -> dict[str, str]:
    return {unprefixed(name): text for name, text in settings.passed_on.items() if text.strip()}


def _given_names(settings: Settings) -> dict[str, list[str]]:
    """Return, for each method, the settings that are given; a transform alone is no key."""
    given = _given(settings)
    return {
        method: [name for name in names if name in given and name != _TRANSFORM]
        for method, names in _METHODS
    }


def _content(path: str) -> str:
    try:
        return Path(path).read_bytes().decode(errors="surrogateescape")
    except OSError as fault:
        raise FaultError(
            Fault(
                kind=FaultKind.ENGINE_UNABLE,
                problem=f"the encryption key file {path} cannot be read: {fault.strerror}",
                remedy=f"mount the key at {path}, readable for the container's user",
            )
        ) from fault


_NAMES = frozenset(name for _, names in _METHODS for name in names)
