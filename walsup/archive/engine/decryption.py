"""Whether this container can read what it archives: it may hold only a key that encrypts."""

from pathlib import Path

from walsup.archive.engine.capabilities import unprefixed
from walsup.archive.engine.pgp_keys import Halves, halves
from walsup.archive.faults import Fault, FaultKind
from walsup.settings import Settings

# WAL-G takes the first of them that is set.
_KEYS = ("PGP_KEY", "PGP_KEY_PATH")
_PASSPHRASE = "PGP_KEY_PASSPHRASE"  # noqa: S105 (a name)


def lacking(source: Settings) -> str:
    """Return why the engine can encrypt but not decrypt with these settings, "" when it can.

    A key in a key service or a keyring is assumed to decrypt, and so is a file that cannot be read:
    the engine's message follows.
    """
    given = {
        unprefixed(name): (name, text) for name, text in source.passed_on.items() if text.strip()
    }
    for key in _KEYS:
        if key not in given:
            continue
        name, text = given[key]
        match halves(_content(text) if key.endswith("_PATH") else text):
            case Halves.PUBLIC:
                return f"{name} holds only a public key"
            case Halves.LOCKED if _PASSPHRASE not in given:
                return (
                    f"{name} holds a private key with a passphrase, but WALG_{_PASSPHRASE} is"
                    " not set"
                )
            case _:
                return ""
    return ""


def attention(why: str) -> Fault:
    """Return what the operator should know of a container that cannot read what it archives."""
    return Fault(
        kind=FaultKind.NO_PRIVATE_KEY,
        problem=f"{why}: this container can encrypt but not decrypt, so base backups and WAL are"
        " verified by listing, not read: names, sizes, parts and contiguity are verified in"
        " the bucket, contents are not",
        remedy="test a restore from this archive regularly where the private key is; to have the"
        " engine read base backups here too, give this container the private key and its"
        " passphrase",
    )


def refusal(source: Settings) -> Fault | None:
    """Return why nothing can be restored with these settings; None: the key can decrypt."""
    if why := lacking(source):
        return Fault(
            kind=FaultKind.NO_PRIVATE_KEY,
            problem=f"{why}: the archive cannot be decrypted",
            remedy="give WALG_PGP_KEY or WALG_PGP_KEY_PATH the private key (gpg --armor"
            " --export-secret-keys), with WALG_PGP_KEY_PASSPHRASE if it has one, and start again;"
            " nothing has been fetched",
        )
    return None


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
