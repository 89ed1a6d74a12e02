"""walsup's notes in the data directory, in small fsynced files.

A copied or restored directory has them too: they are compared with the bucket.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

from walsup.system.durable_files import write_durable

_INSTANCE = ".walsup-instance"
_FOREIGN = ".walsup-foreign"
_OWNED = ".walsup-owned"
_ADOPT = ".walsup-adopt"
_STRAYED = ".walsup-strayed"
_PROMOTING = ".walsup-promoting"
_UNSURE = ".walsup-unsure"
_EPOCH = ".walsup-epoch"
_KERNEL = Path("/proc/sys/kernel/random/boot_id")


class Adoption(NamedTuple):
    """The operator's decision for this data directory: take the archive from this very owner.

    `holder` has its instance, boot and epoch; None: from no owner, because the owner object was
    deleted.
    """

    archive: str
    holder: tuple[str, str, int] | None

    def means(self, holder: tuple[str, str, int] | None) -> bool:
        """Return whether it is the owner that the operator has seen."""
        return self.holder == holder


def place(pgdata: Path, kernel: Path = _KERNEL) -> str:
    """Return a name of this directory on this kernel: a copy, or another node, has another name.

    "" if the kernel has none (a sandbox without that file): then no process is considered dead
    because of it.
    """
    status = pgdata.stat()
    try:
        named = kernel.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{named}:{status.st_dev:x}:{status.st_ino:x}"


def instance(pgdata: Path) -> str:
    """Return this data directory's own name, which is random and made at the first call."""
    path = pgdata / _INSTANCE
    try:
        if found := path.read_text(encoding="ascii").strip():
            return found
    except FileNotFoundError:
        pass
    write_durable(path, os.urandom(16).hex() + "\n")
    return path.read_text(encoding="ascii").strip()


def remember_foreign(pgdata: Path, archive: str, problem: str) -> None:
    """Note that this archive belongs to another database: the next start archives nothing."""
    write_durable(pgdata / _FOREIGN, json.dumps({"archive": archive, "problem": problem}) + "\n")


def forget_foreign(pgdata: Path) -> None:
    """Remove that note."""
    (pgdata / _FOREIGN).unlink(missing_ok=True)


def foreign(pgdata: Path, archive: str) -> str:
    """Return why the last run found this archive foreign, "" when it did not."""
    noted = _read(pgdata / _FOREIGN, archive)
    return str(noted.get("problem") or "the archive is another database's") if noted else ""


def remember_owned(pgdata: Path, archive: str) -> None:
    """Note that this directory owned the archive: without owner object it is not a new one."""
    if not owned(pgdata, archive):
        write_durable(pgdata / _OWNED, json.dumps({"archive": archive}) + "\n")


def owned(pgdata: Path, archive: str) -> bool:
    """Return whether this archive was owned before."""
    return bool(_read(pgdata / _OWNED, archive))


def remember_straying(pgdata: Path, archive: str) -> None:
    """Note, before a run that does not archive there, that one archive will lack its WAL."""
    noted = pgdata / _OWNED
    if noted.exists() and not owned(pgdata, archive) and not has_strayed(pgdata):
        write_durable(pgdata / _STRAYED, "")


def has_strayed(pgdata: Path) -> bool:
    """Return whether there was such a run."""
    return (pgdata / _STRAYED).exists()


def forget_straying(pgdata: Path) -> None:
    """Remove that note: the WAL that is written now comes after what counts there."""
    (pgdata / _STRAYED).unlink(missing_ok=True)


def remember_adoption(pgdata: Path, adoption: Adoption) -> None:
    """Note the operator's decision of `walsup adopt`."""
    write_durable(pgdata / _ADOPT, json.dumps(adoption._asdict()) + "\n")


def adoption(pgdata: Path, archive: str) -> Adoption | None:
    """Return the operator's decision about this archive that is not carried out yet."""
    noted = _read(pgdata / _ADOPT, archive)
    if not noted:
        return None
    match noted.get("holder"):
        case None:
            return Adoption(archive, None)
        case [str(instance), str(boot), int(epoch)]:
            return Adoption(archive, (instance, boot, epoch))
        case _:
            return None


def forget_adoption(pgdata: Path) -> None:
    """Remove that note, because it is done."""
    (pgdata / _ADOPT).unlink(missing_ok=True)


def remember_promotion(pgdata: Path, timeline: int = 0) -> None:
    """Note that the operator promotes this standby, to the timeline that is claimed for it.

    Rule new-timeline.

    0: none is claimed; then any number that is free will do.
    """
    write_durable(pgdata / _PROMOTING, f"{timeline}\n")


def promotes_to(pgdata: Path) -> int | None:
    """Return the timeline of a promotion in progress, 0 for any; None: there is none."""
    try:
        return int((pgdata / _PROMOTING).read_text(encoding="ascii") or 0)
    except FileNotFoundError:
        return None
    except ValueError:
        return 0


def forget_promotion(pgdata: Path) -> None:
    """Remove that note."""
    (pgdata / _PROMOTING).unlink(missing_ok=True)


def remember_unsure(pgdata: Path) -> None:
    """Note that this was a primary's, and is read-only until the archive says what it is.

    Rule role-from-the-archive.
    """
    write_durable(pgdata / _UNSURE, "")


def is_unsure(pgdata: Path) -> bool:
    """Return whether that is not known yet."""
    return (pgdata / _UNSURE).exists()


def forget_unsure(pgdata: Path) -> None:
    """Remove that note."""
    (pgdata / _UNSURE).unlink(missing_ok=True)


def remember_epoch(pgdata: Path, archive: str, epoch: int) -> None:
    """Note the highest epoch of the archive's owner object that this directory has seen."""
    if epoch > known_epoch(pgdata, archive):
        write_durable(pgdata / _EPOCH, json.dumps({"archive": archive, "epoch": epoch}) + "\n")


def known_epoch(pgdata: Path, archive: str) -> int:
    """Return that epoch, 0 when none is known."""
    epoch = _read(pgdata / _EPOCH, archive).get("epoch")
    return epoch if isinstance(epoch, int) else 0


def _read(path: Path, archive: str) -> dict[str, object]:
    """Return a note about this archive, {} when there is none."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return noted if isinstance(noted, dict) and noted.get("archive") == archive else {}
