"""Two pods of one StatefulSet with WALSUP_ROLE=auto: a primary, and a standby that streams."""

from collections.abc import Callable
from typing import NamedTuple

from dev.harness.checks.witness import wait_protected
from dev.harness.faults.tcp_proxy import FaultProxy
from dev.harness.processes.walsup import Walsup
from dev.harness.scenarios.standbys import EAGER, archive_now, wait_rows, wait_source, written

AUTO = {
    "WALSUP_ROLE": "auto",
    "WALSUP_LEASE": "1s",
    "WALSUP_ARCHIVE_TIMEOUT": "2s",
    "WALSUP_REPLICATION_PASSWORD": "mirror",
}


class Pair(NamedTuple):
    """ha-0, which is the primary, and ha-1; `proxy`: ha-0's way to S3; `written`: rows of both."""

    zero: Walsup
    one: Walsup
    proxy: FaultProxy
    written: int


def make_pair(walsup: Callable[..., Walsup], proxy: FaultProxy, **env: str) -> Pair:
    """Start both; ha-1 streams, and has everything, when this returns."""
    zero = walsup(env=AUTO | env | {"HOSTNAME": "ha-0"}, args=EAGER, endpoint=proxy.endpoint)
    one = walsup(env=AUTO | env | {"HOSTNAME": "ha-1"}, args=EAGER, prefix=zero.prefix)
    ports = f"{zero.layout.pg_port},{one.layout.pg_port}"
    for pod in (zero, one):
        pod.environment["WALSUP_PRIMARY_CONNINFO"] = (
            f"host=127.0.0.1,127.0.0.1 port={ports} target_session_attrs=read-write"
        )
    zero.start()
    wait_protected(zero)
    one.start()
    wait_source(one, "streaming", timeout_s=90)
    count = written(zero)
    archive_now(zero)
    wait_rows(one, count)
    return Pair(zero, one, proxy, count)
