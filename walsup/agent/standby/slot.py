"""The standby's slot on its primary, made by the standby itself: a new primary has none of them."""

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
    """Make it unless it is there; gives why it was not made, "" when it is; None: none is wanted.

    The primary may not be reached: it is tried again.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: postgres does not say which it is.
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
