"""What postgres is told as a standby: the archive through a reader, its primary, no target."""

import shutil
from collections.abc import Mapping

from walsup import log
from walsup.archive import fetching
from walsup.archive.reading import render_reader
from walsup.boot import holdups, limits, primary, readerdaemon, slots
from walsup.boot.handover import Handover
from walsup.boot.source import carrier as carrier_of
from walsup.postgres import control, history, memory
from walsup.private import write_private
from walsup.settings import Settings

_PREFETCHED = ".wal-g"
_TARGETS = ("", "_time", "_lsn", "_xid", "_name")


def following(known: Settings, hand: Handover, effective: Mapping[str, str]) -> dict[str, str]:
    """Have the reader started; gives postgres's settings.

    Raises:
        EngineError: nothing here can read the archive.
    """
    found = control.read(known.pgdata)
    history.remove_taken(known.pgdata)
    # Read-only for want of an answer (S19): what it fetched from others could not be told apart.
    alone = memory.is_unsure(known.pgdata)
    rendered = {
        "hot_standby": "on",
        "recovery_target_timeline": "current" if alone else "latest",
        "primary_conninfo": "" if alone else primary.conninfo(known, hand.run_dir),
        "primary_slot_name": "" if alone else primary.slot(known),
        "restore_command": "",
    }
    rendered |= {f"recovery_target{name}": "" for name in _TARGETS}
    rendered |= holdups.of_standby(effective)
    rendered |= slots.settings(effective, known.pgdata)
    if known.archive and not alone:
        carrier = carrier_of(known)
        shutil.rmtree(known.pgdata / "pg_wal" / _PREFETCHED, ignore_errors=True)
        config = hand.run_dir / fetching.READER_CONFIG
        region = known.region
        write_private(
            config, render_reader(known, hand.run_dir, found.segment_size, region, carrier)
        )
        rendered["restore_command"] = fetching.standby_command(carrier, hand.run_dir)
        readerdaemon.launch(hand.send, carrier, known, hand.run_dir, known.pgdata)
    higher = limits.of_recovery(known.pgdata, {}, effective, read_only=True)
    log.info(
        "standby.follows",
        archive=str(known.archive) if known.archive else "",
        primary=rendered["primary_conninfo"],
    )
    return rendered | higher
