"""The agent's loops. Each writes its own observations; none knows another's state."""

from collections.abc import Awaitable, Callable

from walsup.agent.loops.audit import audit
from walsup.agent.loops.backup import backup
from walsup.agent.loops.collation import collation
from walsup.agent.loops.commits import commits
from walsup.agent.loops.connection import connection
from walsup.agent.loops.continuity import continuity
from walsup.agent.loops.database import database
from walsup.agent.loops.device import device
from walsup.agent.loops.disk import disk
from walsup.agent.loops.engine import engine
from walsup.agent.loops.fence import fence
from walsup.agent.loops.gate import gate
from walsup.agent.loops.lag import lag
from walsup.agent.loops.passfile import passfile
from walsup.agent.loops.processes import processes
from walsup.agent.loops.ready import ready
from walsup.agent.loops.replication import replication
from walsup.agent.loops.restore import restore
from walsup.agent.loops.secrets import secrets
from walsup.agent.loops.standby import standby
from walsup.agent.loops.stop import stop
from walsup.agent.loops.tablespaces import tablespaces
from walsup.agent.loops.torn import torn
from walsup.agent.loops.wake import wake
from walsup.agent.loops.walsenders import walsenders
from walsup.agent.loops.watch import watch
from walsup.agent.world import World

LOOPS: dict[str, Callable[[World], Awaitable[None]]] = {
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
    "fence": fence,
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
