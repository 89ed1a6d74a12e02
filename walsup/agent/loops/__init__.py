"""The agent's loops. Each writes its own observations; none reads another's internal state."""

from collections.abc import Awaitable, Callable

from walsup.agent.context import AgentContext
from walsup.agent.loops.archive_device import device
from walsup.agent.loops.archiver_watchdog import wake
from walsup.agent.loops.audit import audit
from walsup.agent.loops.base_backup import backup
from walsup.agent.loops.collation import collation
from walsup.agent.loops.commit_waits import commits
from walsup.agent.loops.continuity import continuity
from walsup.agent.loops.credentials import secrets
from walsup.agent.loops.database import database
from walsup.agent.loops.disk import disk
from walsup.agent.loops.engine_health import engine
from walsup.agent.loops.gate import gate
from walsup.agent.loops.hung_walsenders import walsenders
from walsup.agent.loops.lag import lag
from walsup.agent.loops.new_connections import connection
from walsup.agent.loops.partial_segments import torn
from walsup.agent.loops.passfile import passfile
from walsup.agent.loops.pid1 import watch
from walsup.agent.loops.replication import replication
from walsup.agent.loops.restore import restore
from walsup.agent.loops.shared_tablespaces import tablespaces
from walsup.agent.loops.shutdown import stop
from walsup.agent.loops.standby import standby
from walsup.agent.loops.standby_acknowledgements import standby_acknowledgements
from walsup.agent.loops.stopped_processes import processes
from walsup.agent.loops.unknown_timelines import ready

LOOPS: dict[str, Callable[[AgentContext], Awaitable[None]]] = {
    "watch": watch,
    "database": database,
    "connection": connection,
    "processes": processes,
    "engine": engine,
    "restore": restore,
    "standby": standby,
    "tablespaces": tablespaces,
    "passfile": passfile,
    "replication": replication,
    "gate": gate,
    "fence": standby_acknowledgements,
    "lag": lag,
    "backup": backup,
    "audit": audit,
    "wake": wake,
    "torn": torn,
    "continuity": continuity,
    "device": device,
    "ready": ready,
    "disk": disk,
    "commits": commits,
    "collation": collation,
    "secrets": secrets,
    "stop": stop,
    "walsenders": walsenders,
}
