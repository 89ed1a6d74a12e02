"""How each engine reads the prefix of an archive in a bucket, and which part it loses. Pure.

Source: WAL-G 3.0.8 parses its prefix as a URL and uses the decoded path; WAL-RUS 0.4.1 takes it
literally, and drops the text before the last XML entity of a listed key. Tried with every printable
ASCII character and with a server that answers as S3 does.
"""

from walsup.archive.faults import Fault, FaultKind
from walsup.settings import ArchiveUrl, FileArchive

WALG, WALRUS = "wal-g", "walrus"
_OF_A_URL = str.maketrans({character: f"%{ord(character):02X}" for character in "%?#\x7f"})
_ENTITIES = "&<>\"'"  # what servers write as entities


def rendered(archive: ArchiveUrl, engine: str) -> str:
    """Return the prefix in the form in which the engine uses exactly these keys."""
    text = str(archive)
    return text.translate(_OF_A_URL) if engine == WALG else text


def refusal(archive: ArchiveUrl | FileArchive | None, engine: str) -> Fault | None:
    """Return why the engine cannot list below this prefix; None when it can."""
    if not isinstance(archive, ArchiveUrl) or engine != WALRUS:
        return None
    lost = [character for character in _ENTITIES if character in archive.prefix]
    if not lost:
        return None
    return Fault(
        kind=FaultKind.ENGINE_UNABLE,
        problem=f"{archive} has {' '.join(lost)} in its prefix; {engine} truncates such keys when"
        " it lists them, so it cannot restore any backup",
        remedy=f"choose a prefix without & < > \" and '; or put {WALG} and walg-daemon-client on"
        " PATH, with WALSUP_ENGINE=auto: it can read such a prefix",
    )
