"""Pushes what is still in pg_wal when postgres has ended."""

import asyncio
from collections.abc import Sequence

from walsup import log
from walsup.agent.archiving import engine_daemon
from walsup.agent.context import AgentContext
from walsup.archive.engine import daemon_client, decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands
from walsup.archive.ownership.lease import now_s
from walsup.archive.paths import WAL_FOLDER
from walsup.archive.storage.bucket import Bucket
from walsup.archive.valid_keys import wal_name
from walsup.postgres.wal import Kind, classify
from walsup.postgres.wal_files.ready_files import ready_names

# A push by the daemon is overdue after this, or after the time of one segment in a slow network.
_OVERDUE_S = 4.0
_SLOW_BYTES_PER_S = 4 << 20
# Pushing without the daemon gets at least this share of the time.
_SHARE = 2


class FinalPush:
    """The pushes of one stop. archive_status belongs to PostgreSQL and is not touched."""

    def __init__(self, context: AgentContext, bucket: Bucket, ends_s: float) -> None:
        """`ends_s`: when there must be a verdict, by the clock of leases."""
        self._context = context
        self._bucket = bucket
        self._ends_s = ends_s

    async def push_ready(self) -> bool:
        """Push what is `.ready` and not in the bucket, oldest first; False when nothing was pushed.

        A server that cannot decrypt cannot compare a listed object with pg_wal either: what is
        still `.ready` is pushed over it, once. The engine does not write over a history file.

        Raises:
            what the bucket raises.
        """
        context = self._context
        waiting = await asyncio.to_thread(ready_names, context.settings.pgdata)
        pushed = False
        archived = await self._archived(waiting.own)
        if decryption.lacking(context.settings):
            segments = {name for name in archived if classify(name) is Kind.SEGMENT}
            archived -= segments - context.session.swept
        for name in waiting.own:
            if name in archived:
                continue
            held = context.session.lease is not None and context.session.lease.is_held
            if not held or not await self._push(name, alone=bool(waiting.foreign)):
                return pushed
            pushed = True
            context.session.swept.add(name)
            log.info("segment.swept", name=name)
        return pushed

    async def _archived(self, names: Sequence[str]) -> set[str]:
        """Return the names that the bucket has completely."""
        archived: set[str] = set()
        if not names:
            return archived
        wanted = set(names)
        async for key in self._bucket.keys(WAL_FOLDER, f"{WAL_FOLDER}/{names[0][:-1]}"):
            name = wal_name(key)
            if name in wanted and await self._bucket.settle(key):
                archived.add(name)
        return archived

    async def _push(self, name: str, *, alone: bool) -> bool:
        """Push through the daemon, and without it when that takes too long.

        `alone`: without the daemon at once, because it would also push other `.ready` files.

        WAL-RUS's daemon makes a push wait, without a limit, for a hung one of the same name.
        """
        context, engine = self._context, self._context.session.engine
        if not isinstance(engine, Engine) or (engine.has_daemon and not alone):
            left_s = self.left_s()
            slow_s = context.board.snapshot.segment_bytes / _SLOW_BYTES_PER_S
            overdue_s = min(max(_OVERDUE_S, slow_s), left_s / _SHARE)
            began_s = now_s()
            if await daemon_client.push(context.engine_socket, name, overdue_s):
                return True
            if now_s() - began_s < overdue_s or not isinstance(engine, Engine):
                return False  # the daemon has answered that the push failed
            engine_daemon.replace(
                context, f"the push of {name} has taken longer than {overdue_s:.0f} s"
            )
        commands = Commands(engine=engine, config=context.engine_config, secrets=context.secrets())
        failure = await commands.push(
            context.settings.pgdata / "pg_wal" / name,
            context.run_dir / "wal-push.log",
            timeout_s=self.left_s() / _SHARE,
        )
        log.info("segment.pushed", name=name, exit_code=failure.code if failure else 0)
        return failure is None

    def stop_left_s(self) -> float:
        """Return the time until there must be a verdict; the lease is renewed meanwhile."""
        return max(0.0, self._ends_s - now_s())

    def left_s(self) -> float:
        """Return how long a push may still take."""
        lease = self._context.session.lease
        until_s = min(self._ends_s, lease.until_s) if lease else 0.0
        return max(0.0, until_s - now_s())
