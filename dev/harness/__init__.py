"""Real parts to run walsup against: an S3 server, faults, PostgreSQL's tools, walsup itself.

Used by the tests, the demo and the benchmarks; no test framework is imported here.
"""

from dev.harness.faults.tcp_proxy import FaultProxy
from dev.harness.faults.volume import Volume
from dev.harness.processes.machine import Machine
from dev.harness.processes.memory import MemoryGroup
from dev.harness.processes.namespace import Member
from dev.harness.processes.pg import Address, PgBench, PgBenchResult, PgToolError, PgTools
from dev.harness.processes.ports import free_ports
from dev.harness.processes.waiting import NotSeenError, wait_until
from dev.harness.processes.walsup import Walsup
from dev.harness.storage.s3 import S3Server
from dev.harness.storage.unconditional_s3 import LooseS3

__all__ = [
    "Address",
    "FaultProxy",
    "LooseS3",
    "Machine",
    "Member",
    "MemoryGroup",
    "NotSeenError",
    "PgBench",
    "PgBenchResult",
    "PgToolError",
    "PgTools",
    "S3Server",
    "Volume",
    "Walsup",
    "free_ports",
    "wait_until",
]
