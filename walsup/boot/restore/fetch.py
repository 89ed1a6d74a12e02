"""Fetches a base backup into the stage, again and again while the archive does not answer."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from walsup.archive.catalog import inventory
from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.engine import lent_keys
from walsup.archive.engine.commands import Failure
from walsup.archive.faults import FaultKind
from walsup.archive.paths import BACKUP_FOLDER
from walsup.archive.storage.bucket import open_bucket
from walsup.archive.storage.fault_mapping import classify, note
from walsup.boot import staging
from walsup.boot.current_settings import Current
from walsup.boot.existing_cluster import inner_tablespaces
from walsup.boot.restore import backup_fetch, links, sanitize
from walsup.boot.restore.fetch_progress import Patience, Teller
from walsup.boot.restore.restore_plan import RestorePlan
from walsup.boot.run_program import OneShot
from walsup.errors import ArchiveError, DiskFullError, EngineError
from walsup.settings import Settings, origin
from walsup.system.private_files import write_private

_TRIES = 3
# A truncated object looks like a network that cuts off. If it stays, it is the object.
_PART_OF_A_TRY = 0.3


def fetch(  # noqa: PLR0913 (each is one fact)
    current: Current,
    archive: Reader,
    one_shot: OneShot,
    plan: RestorePlan,
    patience: Patience,
    *,
    own: bool,
) -> Path:
    """Return the directory with the copy.

    Keys that expire meanwhile are renewed in the running engine where that is possible, because
    another try begins again from the first byte.

    Raises:
        EngineError: the engine fails; DiskFullError: the disk is too small.
    """
    known = current.known
    tell = Teller(one_shot.run_dir, plan.backup.name, patience.send)
    failures, broken = 0, 0.0
    while True:
        data = staging.begin(known.pgdata, known.postgres_initdb_waldir)
        spaces = inner_tablespaces.fetched_to(known.pgdata, plan.backup, archive.engine.name)
        outside = [place for _, place in spaces if not Path(place).is_relative_to(data.parent)]
        staging.remember_outside(known.pgdata, outside)
        data.mkdir(mode=0o700)
        for _, place in spaces:
            Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
        output = one_shot.run_dir / "backup-fetch.log"
        spec = _spec(one_shot.run_dir, data, spaces)
        source = origin(current.known, own=own)
        with lent_keys.lent(source, archive.engine.name, archive.config, one_shot.run_dir) as loan:
            config, more = archive.config, dict(archive.more)
            if loan:
                config, more = loan.config, {**more, **loan.environment}
            code = backup_fetch.run(
                archive.engine.restore_argv(config, data, plan.backup.name, spec),
                output,
                lock=one_shot.lock,
                more=more,
                total_bytes=plan.size_bytes,
                tell=tell,
                renew=_renewal(current, loan, own=own),
            )
        if code == 0:
            return data
        failure = Failure.read(code, output, archive.secrets)
        fault, text = failure.told, failure.lines
        failures += 1
        permanent = fault.kind in PERMANENT
        # WAL-RUS does not distinguish a rejected key from an absent object.
        answers = asyncio.run(_answers(archive))
        broken += -broken if not answers else 1 if permanent else _PART_OF_A_TRY
        attempt = f"{archive.engine.name} backup-fetch of {plan.backup.name}"
        problem = f"{attempt} ended with {code}"
        if fault.kind == FaultKind.DISK_FULL:
            raise DiskFullError(
                f"{problem}:\n{text}", hint="make the volume larger, then start again"
            )
        if broken >= _TRIES:
            raise EngineError(
                f"{problem}:\n{text}",
                hint="read its last lines; to restore another base backup, set"
                " WALSUP_RESTORE_BACKUP",
            )
        asyncio.run(patience.wait(failure.ended(attempt), failures))


async def absent(archive: Reader, backup: Backup, pgdata: Path, data: Path) -> list[str]:
    """Return the files that a base backup's list names and that a copy in `data` lacks.

    Raises:
        what the bucket raises; ValueError: the list cannot be read.
    """
    found: list[str] = []
    async for files in inventory.held_files(archive.bucket, backup.name):
        names = links.expected((held.file for held in files), backup.left_out)
        found += await asyncio.to_thread(
            inner_tablespaces.absent, pgdata, data, backup, archive.engine.name, names
        )
    return found


def check(archive: Reader, backup: Backup, pgdata: Path, data: Path) -> None:
    """Refuse a copy that lacks files of its base backup. Files fetched beside it are collected.

    Raises:
        ArchiveError: files are missing.
    """
    inner_tablespaces.gather(pgdata, data, backup, archive.engine.name)
    sanitize.check_files(
        data,
        asyncio.run(absent(archive, backup, pgdata, data)),
        [number for number, _ in backup.tablespaces],
    )
    if nothing := inner_tablespaces.empty(pgdata, data, backup, archive.engine.name):
        raise ArchiveError(
            f"the base backup {backup.name} was fetched, but holds no file of the tablespace in"
            + " and in".join(f" {directory}" for _, directory in nothing),
            hint="restore another base backup (WALSUP_RESTORE_BACKUP): WAL-G leaves out tablespaces"
            " whose directory is a link, or one in the data directory that is named log",
        )


def _renewal(current: Current, loan: lent_keys.Loan | None, *, own: bool) -> Callable[[], None]:
    """Return the function that applies changed keys: in the running engine, or for the next try."""

    def accepts(found: Settings) -> bool:
        return not _rejects(origin(found, own=own)) or _rejects(origin(current.known, own=own))

    due = False

    def renew() -> None:
        nonlocal due
        due |= current.look(accepts)
        if loan:
            with contextlib.suppress(OSError):  # no process or no memory now: the next look
                loan.keep_serving()
                if due:
                    loan.put(origin(current.known, own=own))
                    due = False

    return renew


def _rejects(source: Settings) -> bool:
    """Return whether the bucket rejects the keys. A bucket that does not answer rejects none."""
    try:
        asyncio.run(open_bucket(source).folder(BACKUP_FOLDER))
    except Exception as raised:  # noqa: BLE001 (whatever it is)
        return classify(raised).kind in (FaultKind.AUTH, FaultKind.NO_RIGHTS)
    return False


async def _answers(archive: Reader) -> bool:
    """Return whether the bucket answers now, so that its silence did not cause the failure."""
    try:
        await archive.asked.folder(BACKUP_FOLDER)
    except Exception as raised:  # noqa: BLE001 (whatever it is)
        note(raised)
        return False
    return True


def _spec(run_dir: Path, data: Path, tablespaces: tuple[tuple[str, str], ...]) -> Path | None:
    """Write where the tablespaces are, in WAL-G's form. None: there are none."""
    if not tablespaces:
        return None
    spec: dict[str, object] = {
        number: {"loc": place, "link": f"pg_tblspc/{number}"} for number, place in tablespaces
    }
    spec |= {"base_prefix": str(data), "tablespaces": [number for number, _ in tablespaces]}
    path = run_dir / "restore-spec.json"
    write_private(path, json.dumps(spec))
    return path
