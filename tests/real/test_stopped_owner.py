"""An owner object that says "stopped", while the primary writes."""

from collections.abc import Callable

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import Ledger, cli, owner, wait_protected
from dev.harness.scenarios.standbys import LEASE, streaming, written
from walsup.archive.paths import OWNER_KEY

Make = Callable[..., Walsup]


def test_no_promotion_while_wal_arrives_though_the_owner_object_says_stopped(
    walsup: Make, s3: S3Server
) -> None:
    """A primary that was started again without the bucket takes writes before it claims."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=LEASE | {"WALSUP_ROLE": "primary"}).start()
        wait_protected(one)
        written(one)
        two = streaming(walsup, one)
        proxy.refuse()
        key = f"{one.prefix}/{OWNER_KEY}"
        stopped = s3.get(key).replace(b'"running"', b'"stopped"')
        s3.put(key, stopped)
        assert owner(s3, one.prefix)["state"] == "stopped"
        with Ledger(one):
            told = cli(two, "promote")
        assert told.returncode == 74, told.stdout
        assert "it sends WAL to this standby" in told.stderr
        assert owner(s3, one.prefix)["epoch"] == 1
