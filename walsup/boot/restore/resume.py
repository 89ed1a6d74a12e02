"""Everything that postgres needs to recover a copy: the reader, and its settings."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from walsup import log
from walsup.archive.engine import restore_command
from walsup.archive.engine.reader_config import render_reader
from walsup.boot.existing_cluster import blocking_settings
from walsup.boot.handover import Handover
from walsup.boot.restore import reader_daemon, recovery_limits, run
from walsup.boot.restore.archive_source import engine_of
from walsup.boot.restore.target import recovery_settings, target
from walsup.datadir import restore_state
from walsup.errors import SettingsError
from walsup.settings import Settings, origin
from walsup.system.private_files import write_private

# They exist before postgres asks for a first file.
_PREFETCHED = ".wal-g"
# A clone must not take the changes of its source's publishers; the agent disables the subscriptions
# before recovery ends.
_NO_SUBSCRIPTIONS = {"max_logical_replication_workers": "0"}
_SYNCFS_SINCE = 14
_OF_A_TIMELINE = re.compile(r"([0-9A-F]{8})(?:[0-9A-F]{16}|\.history)")


def recovery(
    known: Settings, hand: Handover, effective: Mapping[str, str], major: int
) -> dict[str, str]:
    """Have the reader started; return postgres's settings, for a clone also after its promotion.

    Raises:
        SettingsError: the settings ask for another restore than the one in progress; EngineError.
    """
    restored = restore_state.read(known.pgdata)
    if restored is None:
        return {}
    if not restore_state.is_recovering(known.pgdata):
        ordinary = recovery_limits.of_start(known.pgdata, effective)
        return ordinary if restored.own else ordinary | _NO_SUBSCRIPTIONS
    lost = known.archive is None if restored.own else known.restore_from is None
    requested = "" if lost else run.wish(known, own=restored.own)
    if requested != restored.wish:
        raise SettingsError(
            f"a restore of {restored.wish} is in progress in this data directory, but the"
            f" settings now request {requested or 'no restore'}",
            hint="set the previous values again to continue it; or empty the data"
            " directory to start from the beginning",
        )
    source = origin(known, own=restored.own)
    engine = engine_of(source)
    _begin_again(known.pgdata, restored.legs[-1][0])
    # postgres would read the half file of a killed reader as a whole one (rule resumable-recovery).
    shutil.rmtree(known.pgdata / "pg_wal" / _PREFETCHED, ignore_errors=True)
    config = hand.run_dir / restore_command.READER_CONFIG
    region = restored.region or source.region
    text = render_reader(source, hand.run_dir, restored.segment_size, region, engine)
    write_private(config, text)
    for leftover in (restore_command.PROGRESS, restore_command.ENDED):
        (hand.run_dir / leftover).unlink(missing_ok=True)
    reader_daemon.launch(hand.send, engine, source, hand.run_dir, known.pgdata)
    wanted_target = target(known, own=restored.own)
    rendered = recovery_settings(
        wanted_target,
        restored.legs[-1][0],
        restored.ends,
        restore_command.restore_command(
            engine, hand.run_dir, restored.last if restored.ends == "quiet" else ""
        ),
    )
    rendered |= blocking_settings.of_recovery(effective)
    if not restored.own:
        rendered |= _NO_SUBSCRIPTIONS
    if major >= _SYNCFS_SINCE and "recovery_init_sync_method" not in effective:
        # Every file was synced before the copy counted; postgres would sync each one again.
        rendered["recovery_init_sync_method"] = "syncfs"
    read_only = rendered["hot_standby"] == "on"
    higher = recovery_limits.of_recovery(
        known.pgdata, dict(restored.limits), effective, read_only=read_only
    )
    log.info(
        "restore.recovering", backup=restored.backup, target=restored.target, ends=restored.ends
    )
    return rendered | higher


def _begin_again(pgdata: Path, timeline: int) -> None:
    """Undo the beginning of a new timeline that a kill has cut off. Nothing of it was archived."""
    pg_wal = pgdata / "pg_wal"
    status = pg_wal / "archive_status"
    for folder in (pg_wal, status):
        for path in folder.iterdir() if folder.is_dir() else ():
            found = _OF_A_TIMELINE.match(path.name)
            if found and int(found[1], 16) > timeline:
                path.unlink()
    (pgdata / restore_state.SIGNAL).touch(mode=0o600)
