"""The standby's slot on its primary, made by the standby itself: a new primary has none of them."""

from walsup import log
from walsup.agent.world import World
from walsup.archive import oneshot
from walsup.programs import which
from walsup.tail import last_lines

_TIMEOUT_S = 10.0
_TOLD = "select current_setting('primary_slot_name'), current_setting('primary_conninfo')"


async def make(world: World) -> None:
    """Make it unless it is there; the primary may not be reached, and it is tried again.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: postgres does not say which it is.
    """
    name, conninfo = await world.sql.row(_TOLD)
    if not name or not conninfo:
        return
    bindir = world.settings.pg_bindir
    program = str(bindir / "pg_receivewal") if bindir else which("pg_receivewal", world.path)
    if not program:
        return
    argv = [program, "-d", conninfo, "--no-password", f"--slot={name}"]
    output = world.run_dir / "pg_receivewal.log"
    code = await oneshot.run(
        [*argv, "--create-slot", "--if-not-exists"], output, timeout_s=_TIMEOUT_S
    )
    text = last_lines(output, world.secrets())
    log.info("slot.asked_for", name=name, exit_code=code, problem=text if code else "")
