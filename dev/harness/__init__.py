"""Real parts to run walsup against: an S3 server, faults, PostgreSQL's tools, walsup itself.

Used by the tests, the demo and the benchmarks; no test framework is imported here.
"""

from dev.harness.faults import FaultProxy
from dev.harness.loose import LooseS3
from dev.harness.machine import Machine
from dev.harness.memory import MemoryGroup
from dev.harness.namespace import Member
from dev.harness.pg import Address, PgBench, PgBenchResult, PgToolError, PgTools
from dev.harness.ports import free_ports
from dev.harness.s3 import S3Server
from dev.harness.volume import Volume
from dev.harness.waiting import NotSeenError, wait_until
from dev.harness.walsup import Walsup

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
