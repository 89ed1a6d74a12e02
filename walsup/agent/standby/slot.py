"""Creates the standby's slot on its primary: a new primary does not have it yet."""

from walsup.agent.context import AgentContext
from walsup.archive.engine import run_once
from walsup.system.output_tail import last_lines
from walsup.system.programs import which

_TIMEOUT_S = 10.0
_TOLD = (
    "select pg_catalog.current_setting('primary_slot_name'),"
    " pg_catalog.current_setting('primary_conninfo')"
)


async def make(context: AgentContext) -> str | None:
    """Create the slot if missing; return why not, "" when it exists, None when none is configured.

    When the primary is not reachable the caller tries again.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: postgres does not return its settings.
    """
    name, conninfo = await context.sql.row(_TOLD)
    if not name or not conninfo:
        return None
    bindir = context.settings.pg_bindir
    program = str(bindir / "pg_receivewal") if bindir else which("pg_receivewal", context.path)
    if not program:
        return "pg_receivewal is missing"
    argv = [program, "-d", conninfo, "--no-password", f"--slot={name}"]
    output = context.run_dir / "pg_receivewal.log"
    code = await run_once.run(
        [*argv, "--create-slot", "--if-not-exists"], output, timeout_s=_TIMEOUT_S
    )
    return last_lines(output, context.secrets()) or f"exit code {code}" if code else ""
