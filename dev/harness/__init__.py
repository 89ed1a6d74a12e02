"""Real parts to run walsup against: an S3 server, faults, PostgreSQL's tools, walsup itself.

Used by the tests, the demo and the benchmarks; no test framework is imported here.
"""

from dev.harness.machine import Machine
from dev.harness.ports import free_ports
from dev.harness.s3 import S3Server
from dev.harness.waiting import NotSeenError, wait_until

__all__ = [
    "FaultProxy",
    "Machine",
    "NotSeenError",
    "PgBench",
    "PgBenchResult",
    "PgTools",
    "S3Server",
    "Walsup",
    "free_ports",
    "wait_until",
]
