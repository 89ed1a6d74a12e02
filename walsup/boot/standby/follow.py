"""The settings of postgres as a standby: the archive through a reader, its primary, no target."""

import shutil
from collections.abc import Mapping

from walsup import log
from walsup.archive.engine import restore_command
from walsup.archive.engine.reader_config import render_reader
from walsup.boot.existing_cluster import blocking_settings
from walsup.boot.handover import Handover
from walsup.boot.restore import reader_daemon, recovery_limits
from walsup.boot.restore.archive_source import engine_of
from walsup.boot.standby import primary, slot_limits
from walsup.datadir import markers
from walsup.postgres import pg_control
from walsup.postgres.wal_files import timeline_history
from walsup.settings import Settings
from walsup.system.private_files import write_private

_PREFETCHED = ".wal-g"
_TARGETS = ("", "_time", "_lsn", "_xid", "_name")


def following(known: Settings, hand: Handover, effective: Mapping[str, str]) -> dict[str, str]:
    """Have the reader started; return postgres's settings.

    Raises:
        EngineError: no engine here can read the archive.
    """
    control = pg_control.read(known.pgdata)
    timeline_history.remove_taken(known.pgdata)
    # This standby is read-only because the archive did not answer (rule role-from-the-archive):
    # files fetched from another primary would look the same.
    alone = markers.is_unsure(known.pgdata)
    rendered = {
        "hot_standby": "on",
        "recovery_target_timeline": "current" if alone else "latest",
        "primary_conninfo": "" if alone else primary.conninfo(known, hand.run_dir),
        "primary_slot_name": "" if alone else primary.slot(known),
        "restore_command": "",
    }
    rendered |= {f"recovery_target{name}": "" for name in _TARGETS}
    rendered |= blocking_settings.of_standby(effective)
    rendered |= slot_limits.settings(effective, known.pgdata)
    if known.archive and not alone:
        engine = engine_of(known)
        shutil.rmtree(known.pgdata / "pg_wal" / _PREFETCHED, ignore_errors=True)
        config = hand.run_dir / restore_command.READER_CONFIG
        region = known.region
        write_private(
            config, render_reader(known, hand.run_dir, control.segment_size, region, engine)
        )
        rendered["restore_command"] = restore_command.standby_command(engine, hand.run_dir)
        reader_daemon.launch(hand.send, engine, known, hand.run_dir, known.pgdata)
    higher = recovery_limits.of_recovery(known.pgdata, {}, effective, read_only=True)
    log.info(
        "standby.follows",
        archive=str(known.archive) if known.archive else "",
        primary=rendered["primary_conninfo"],
    )
    return rendered | higher
