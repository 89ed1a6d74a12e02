"""The official image's contract for a new database: variables, files, who may log in, words."""

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from dev.harness import Machine, Walsup
from dev.harness.checks.witness import verdict

Make = Callable[..., Walsup]


@pytest.fixture
def make(machine: Machine) -> Iterator[Make]:
    """Makes a walsup without archive."""
    made: list[Walsup] = []

    def _make(**env: str | None) -> Walsup:
        made.append(Walsup(machine, env=env))
        return made[-1]

    yield _make
    for one in made:
        if one.layout.log_file.exists():
            print(one.tail())  # noqa: T201 - pytest keeps it for a failure's report
        one.close()


def over_tcp(one: Walsup, user: str, password: str, host: str = "127.0.0.1") -> str:
    """What a login from a host answers; psql's complaint otherwise."""
    address = f"host={host} port={one.layout.pg_port} dbname=postgres"
    done = subprocess.run(
        [one.machine.bindir / "psql", "-X", "-At", "-w", address, "-U", user, "-c", "select 1"],
        check=False,
        capture_output=True,
        text=True,
        env={"PGPASSWORD": password} if password else {},
    )
    return (done.stdout + done.stderr).strip()


def test_files_that_only_root_may_read(make: Make) -> None:
    """As Docker's secrets may be; blanks and quotes are part of a name."""
    given = {
        "POSTGRES_USER": "the boss",  # initdb itself can have no quotes there
        "POSTGRES_PASSWORD": "it's a \\ secret $HOME",
        "POSTGRES_DB": "our 'own' \"shop\"",
        "POSTGRES_INITDB_ARGS": "--wal-segsize=4 --locale='C.UTF-8'",
    }
    one = make(POSTGRES_PASSWORD=None)
    for name, text in given.items():
        path = one.layout.base / name
        path.write_text(f"{text}\n")
        path.chmod(0o600)
        one.environment[f"{name}_FILE"] = str(path)
    user = given["POSTGRES_USER"]
    one.start().wait_for(lambda: one.events("postgres.started"), "postgres", timeout_s=60)
    one.wait_for(lambda: over_tcp(one, user, "") == "1", "loopback is trusted")
    found = one.psql("select datname from pg_database order by oid desc limit 1", user=user)
    assert found == given["POSTGRES_DB"]
    assert one.psql("show wal_segment_size", user=user) == "4MB"
    stored = one.psql("select rolpassword from pg_authid where rolcanlogin", user=user)
    assert stored.startswith("SCRAM-SHA-256$")
    assert given["POSTGRES_PASSWORD"] not in one.log()


def test_the_network_needs_the_password(make: Make) -> None:
    """Loopback and the socket are trusted, all else has the method of pg_hba.conf's last line."""
    one = make().start()
    one.wait_accepts(timeout_s=60)
    rules = one.psql(
        "select string_agg(concat_ws(' ', type, database, address, auth_method), '; '"
        " order by line_number) from pg_hba_file_rules where database = '{all}'"
    )
    assert rules == (
        "local {all} trust; host {all} 127.0.0.1 trust; host {all} ::1 trust;"
        " host {all} all scram-sha-256"
    )
    with_address = next(iter(_addresses()), "")
    if with_address:
        secret = one.environment["POSTGRES_PASSWORD"]
        assert over_tcp(one, "postgres", secret, with_address) == "1"
        assert "password" in over_tcp(one, "postgres", "", with_address)


def _addresses() -> list[str]:
    """This machine's own addresses that are not loopback."""
    shown = subprocess.run(["hostname", "-I"], check=False, capture_output=True, text=True)
    return shown.stdout.split()


# Behind it there is a line for streaming, which is another database to pg_hba.conf.
_NETWORKS = (
    "select auth_method from pg_hba_file_rules where database = '{all}' and address = 'all'"
    " order by line_number desc limit 1"
)


@pytest.mark.parametrize("method", ["md5", "trust"])
def test_a_method_of_the_operator_s(make: Make, method: str) -> None:
    """It is the network's; trust is warned of, with a password or without."""
    one = make(POSTGRES_HOST_AUTH_METHOD=method).start()
    one.wait_accepts(timeout_s=60)
    assert one.psql(_NETWORKS) == method
    assert bool(one.events("bootstrap.trust")) == (method == "trust")


def test_the_stored_password_decides_about_the_method(make: Make) -> None:
    """As in the official image: another method would let nobody in."""
    one = make()
    one.args = ["-c", "password_encryption=md5"]
    one.start().wait_accepts(timeout_s=60)
    assert one.psql(_NETWORKS) == "md5"


def test_both_forms_are_refused_with_1(make: Make) -> None:
    """And the message names both; with another fault it is the settings' own code."""
    one = make(POSTGRES_PASSWORD_FILE="/etc/hostname")
    assert one.start().wait() == 1
    assert "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set" in verdict(one)
    one.environment["PGPORT"] = "none"
    assert one.start().wait() == 64


def test_words_that_tools_wait_for(make: Make) -> None:
    """At a first boot "ready to accept connections" is said twice, later once."""
    words = "database system is ready to accept connections"
    one = make().start()
    one.wait_accepts(timeout_s=60)
    assert one.log().count(words) == 2
    assert "PostgreSQL init process complete; ready for start up." in one.log()
    assert one.stop() == 0
    one.start().wait_accepts()
    assert one.log().count(words) == 1
    assert "Skipping initialization" in one.log()


def test_nothing_is_written_elsewhere(make: Make) -> None:
    """Beside PGDATA and the run directory only what the harness has made."""
    one = make(TMPDIR="/proc/nowhere").start()
    one.wait_accepts(timeout_s=60)
    assert one.stop() == 0
    made = {path.name for path in one.layout.base.iterdir()}
    assert made == {"volume", "run", "walsup.log", "termination-log"}
    assert os.listdir(one.layout.volume) == ["data"]  # noqa: PTH208 (names)
