"""wal-g without walg-daemon-client, as WAL-G's release has it: each push starts the engine (S7).

Both engines are put in wal-g's place: the commands that are used here are the same for both, but
for the name of one option.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import FaultProxy, Machine, S3Server, Walsup
from dev.harness.checks.witness import (
    Ledger,
    cli,
    segments,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)

Make = Callable[..., Walsup]

_WAL_G = """\
#!/bin/sh
for word do
    shift
    [ "{engine}$word" != walrus--add-user-data ] || word=--user-data
    set -- "$@" "$word"
done
exec {program} "$@"
"""


def _without_client(walsup: Make, machine: Machine, endpoint: str) -> Walsup:
    one = walsup(endpoint=endpoint, env={"WALSUP_ARCHIVE_TIMEOUT": "2s"})
    path = one.environment["PATH"]
    program = Path(path.partition(":")[0]) / one.engine
    folder = one.layout.base / "bin"
    folder.mkdir(mode=0o755)
    walg = folder / "wal-g"
    walg.write_text(_WAL_G.format(program=program.resolve(), engine=one.engine))
    walg.chmod(0o755)
    one.environment |= {"PATH": f"{folder}:{path.partition(':')[2]}", "WALSUP_ENGINE": "wal-g"}
    assert machine.engines
    return one


@pytest.mark.rule("archive-settings")
def test_without_a_daemon_the_gate_is_the_lease(
    walsup: Make, machine: Machine, s3: S3Server
) -> None:
    """Backup, segments, S3 lost and back, a clean stop: all without a daemon, and said so."""
    with FaultProxy(s3.port) as proxy:
        one = _without_client(walsup, machine, proxy.endpoint).start()
        wait_protected(one)
        assert "no daemon" in cli(one, "status").stdout
        assert not one.state().get("engine_pid") or one.state()["engine_pid"] == "0"
        command = one.psql("show archive_command")
        assert "timeout -k " in command
        assert "wal-push %p ; fi" in command
        with Ledger(one) as ledger:
            proxy.answer(403)
            one.psql("select pg_switch_wal()")
            wait_fault(one, "bucket")
            proxy.pass_through()
            one.wait_for(lambda: not status(one)["faults"], "no fault stands", timeout_s=60)
        assert ledger.failures == 0
        wait_no_lag(one, timeout_s=90)
        one.psql("create table last (n int)")
        before = segments(s3, one.prefix)
        assert one.stop() == 0
        assert "is in the bucket: yes" in verdict(one)
        assert len(segments(s3, one.prefix)) > len(before)


@pytest.mark.rule("archive-settings")
def test_shut_without_a_daemon(walsup: Make, machine: Machine, s3: S3Server) -> None:
    """No lease, no push: what is taken by somebody else gets nothing of ours."""
    one = _without_client(walsup, machine, s3.endpoint)
    one.environment["WALSUP_LEASE"] = "1s"
    one.start()
    wait_protected(one)
    key = f"{one.prefix}/walsup/owner.json"
    stolen = s3.get(key).replace(b'"instance": "', b'"instance": "another-')
    stolen = stolen.replace(b'"boot": "', b'"boot": "another-')
    s3.put(key, stolen)
    wait_fault(one, "gate")
    assert not (one.run_dir / "lease").exists()
    before = segments(s3, one.prefix)
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    one.wait_for(lambda: "archive command failed" in one.log(), "a push was refused")
    assert one.stop() == 0
    assert segments(s3, one.prefix) == before
    # A start finds the file of the last one: it is not its own lease.
    (one.run_dir / "lease").write_text("999999999999\n")
    one.start()
    one.wait_accepts()
    one.psql("create table u (n int)")
    one.psql("select pg_switch_wal()")
    wait_fault(one, "gate")
    assert one.stop() == 0
    assert segments(s3, one.prefix) == before
