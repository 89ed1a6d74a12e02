"""Creates a data directory where there is none: a new cluster, or a copy from an archive."""

import os
from collections.abc import Sequence

from walsup import log
from walsup.boot import command_line, plan
from walsup.boot.handover import Handover
from walsup.boot.run_program import OneShot
from walsup.datadir import archive_subpath


def make(
    decided: plan.Bootstrap | plan.BootstrapBeside | plan.RestoreFromArchive | plan.Follow,
    hand: Handover,
    lock: int,
    arguments: Sequence[str],
) -> None:
    """Create it, and record in `hand` where the archive continues. `arguments` are postgres's.

    Raises:
        WalsupError: as initdb or the restore raises it.
    """
    known = hand.current.known
    one_shot = OneShot(
        bindir=known.pg_bindir,
        run_dir=hand.run_dir,
        lock=lock,
        environment=command_line.postgres_environment(os.environ, known.postgres_env),
        secrets=hand.current.secrets,
    )
    match decided:
        case plan.RestoreFromArchive(own=own):
            from walsup.boot.restore.run import restore  # noqa: PLC0415 (asyncio: 10 MB)

            restore(hand.current, one_shot, hand.send, arguments, own=own)
            return
        case plan.Follow():
            from walsup.boot.standby.build import build  # noqa: PLC0415 (as above)

            build(hand.current, one_shot, hand.send, arguments)
            return
        case plan.BootstrapBeside():
            from walsup.archive.ownership.relocation import move_now  # noqa: PLC0415 (as above)

            sub = move_now(known)
            archive_subpath.remember(known.pgdata, str(known.archive), sub)
            log.warning("archive.moved", archive=str(known.archive), to=sub)
            hand.current.move_archive(archive_subpath.below(known, sub).archive)
    from walsup.boot.new_cluster.initdb import bootstrap  # noqa: PLC0415 (not for a restore)

    bootstrap(hand.current.known, one_shot, arguments, os.environ, hand.send)
