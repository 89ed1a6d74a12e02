"""The bucket's secret and the superuser's password are where they must be, and nowhere else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import verdict, wait_fault, wait_protected

Make = Callable[..., Walsup]


@pytest.mark.rule("secrets")
def test_no_secret_is_shown_anywhere(walsup: Make, s3: S3Server) -> None:
    """Argv, environments, logs, pages, messages; files with one are closed to others."""
    password = "correct horse battery staple"
    with FaultProxy(s3.port) as proxy:
        one = walsup(
            endpoint=proxy.endpoint,
            env={"POSTGRES_PASSWORD": password, "WALSUP_STOP_GRACE": "8s"},
        ).start()
        # What JSON and shells quote in other ways is cut off.
        secrets = [s3.secret_key.rpartition('"')[2], password]
        assert len(secrets[0]) > 10
        wait_protected(one)
        proxy.answer(403)
        one.psql("create table t (n int)")
        one.psql("select pg_switch_wal()")
        wait_fault(one, "bucket")
        shown = [json.dumps(one.http(path)[1]) for path in ("/status", "/readyz", "/startupz")]
        shown.append(str(one.http("/metrics")[1]))
        init = one.init_pid
        for member in one.members():
            process = Path("/proc", str(member.outer_pid))
            shown.append((process / "cmdline").read_bytes().decode(errors="replace"))
            if member.outer_pid != init:  # PID 1 was given them, and is not dumpable
                shown.append((process / "environ").read_bytes().decode(errors="replace"))
        assert one.stop() == 0
        shown += [one.log(), verdict(one), (one.run_dir / "state").read_text()]
        for text in shown:
            for secret in secrets:
                assert secret not in text
        holding = [
            path
            for folder in (one.run_dir, one.pgdata)
            for path in folder.rglob("*")
            if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
        ]
        assert {path.name for path in holding} == {"agent.json", "engine.json"}
        assert all(path.stat().st_mode & 0o077 == 0 for path in holding)
