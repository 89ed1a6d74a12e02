"""A migrated cluster whose pg_hba.conf asks local roles for a password (S30)."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Walsup
from dev.harness.checks.witness import status, wait_fault, wait_protected

Make = Callable[..., Walsup]
PASSWORD = "kee'per $ \"pass"


def _migrated(walsup: Make) -> Walsup:
    """A cluster with a role `keeper`, where nobody logs in over the socket without a password."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    quoted = PASSWORD.replace("'", "''")
    one.psql(f"create role keeper superuser login password '{quoted}'")
    assert one.stop() == 0
    (one.pgdata / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    archived = walsup(prefix=one.prefix)
    archived.pgdata = one.pgdata
    archived.environment |= {"PGDATA": str(one.pgdata), "WALSUP_PGUSER": "keeper"}
    return archived


def _password_file(one: Walsup, text: str) -> None:
    path = one.layout.base / "pgpassword"
    path.write_text(f"{text}\n")
    path.chmod(0o644)
    one.environment["WALSUP_PGPASSWORD_FILE"] = str(path)


@pytest.mark.rule("any-uid")
def test_agent_and_engine_log_in_with_the_password(walsup: Make) -> None:
    """Lag is known, the base backup is taken, and the password is in no environment or argv."""
    one = _migrated(walsup)
    _password_file(one, PASSWORD)
    one.start()
    seen = wait_protected(one)
    assert seen["lag"]["known"]
    shown = b""
    for file in ("environ", "cmdline"):
        for path in Path("/proc").glob(f"[0-9]*/{file}"):
            with contextlib.suppress(OSError):  # it has ended
                shown += path.read_bytes()
    assert str(one.pgdata).encode() in shown
    assert PASSWORD.encode() not in shown
    assert PASSWORD not in one.layout.log_file.read_text()
    assert (one.run_dir / "engine.json").stat().st_mode & 0o077 == 0


@pytest.mark.rule("any-uid")
def test_a_refused_login_is_named_and_the_database_archives(walsup: Make) -> None:
    """With the line that pg_hba.conf lacks, or the setting; segments go on meanwhile."""
    one = _migrated(walsup)
    _password_file(one, "wrong")
    one.start()
    fault = wait_fault(one, "database")
    assert fault["kind"] == "database login"
    assert "WALSUP_PGPASSWORD_FILE" in fault["remedy"]
    assert "pg_hba.conf" in fault["remedy"]
    one.wait_for(lambda: status(one)["gate"]["state"] == "open", "the gate is open")
    assert "wrong" not in fault["problem"].replace("wrong password", "")
