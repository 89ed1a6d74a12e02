"""Databases whose every callable name is a trap: no session of walsup springs one."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from dev import sqllint
from dev.harness import Machine, Walsup
from dev.harness.checks.witness import cli, status
from dev.harness.processes.pg import PgTools
from dev.harness.processes.ports import free_ports
from dev.harness.scenarios import traps
from dev.harness.scenarios.standbys import LEASE, streaming
from walsup.postgres.sql import startup_settings
from walsup.postgres.sql.startup_settings import Purpose

Make = Callable[..., Walsup]
STATEMENTS = sorted(
    {each.text for each in sqllint.statements() if isinstance(each, sqllint.Statement)}
)
VALUES = {"pg_lsn": 0, "name": "x", "text": "x"}
MAJOR = int(Machine.load().major)
DATABASES = ("app", "postgres", "template1")
SECRET = "mirror"
VERIFIER = "SCRAM-SHA-256$4096:"
# All that postgres has for writing statements down.
LOGGED = [
    *("-c", "shared_preload_libraries=pg_stat_statements,auto_explain"),
    *("-c", "log_statement=all", "-c", "log_min_duration_statement=0"),
    *("-c", "log_min_error_statement=debug5", "-c", "log_duration=on"),
    *("-c", "auto_explain.log_min_duration=0", "-c", "auto_explain.log_level=warning"),
    *("-c", "pg_stat_statements.track=all", "-c", "log_parser_stats=on"),
]


class Trapped:
    """A bare server with traps in two databases."""

    def __init__(self, tools: PgTools, pgdata: Path) -> None:
        self.tools = tools
        self.pgdata = pgdata
        (port,) = free_ports(1)
        tools.initdb(pgdata, "--encoding=UTF8", "--locale=C.UTF-8")
        self.address = tools.start(pgdata, port=port, settings={"fsync": "off"})
        self.psql = partial(tools.psql, self.address)
        self.psql("create database app template template0")
        for database in ("app", "postgres"):
            traps.lay(self.psql, database)

    def log(self) -> str:
        """The server's."""
        return Path(f"{self.pgdata}.log").read_text()

    async def run(self, statement: str, database: str, settings: Mapping[str, str]) -> None:
        """Run a statement with these settings; what fails for its own reasons has been run."""
        connection = await asyncpg.connect(
            host=str(self.address.socket_dir),
            port=self.address.port,
            user="postgres",
            database=database,
            server_settings=dict(settings),
        )
        try:
            prepared = await connection.prepare(statement.replace('"?"', "x"))
            values = [VALUES[each.name] for each in prepared.get_parameters()]
            await prepared.fetch(*values)
        except asyncpg.PostgresError:
            pass
        finally:
            connection.terminate()

    def is_unsprung(self) -> bool:
        """No trap of either database was sprung."""
        log = self.log()
        return all(traps.are_unsprung(self.psql, name, log) for name in ("app", "postgres"))


@pytest.fixture(scope="module")
def trapped(machine: Machine) -> Iterator[Trapped]:
    """One for all of these tests: whatever springs a trap is the last."""
    place = Path(tempfile.mkdtemp(prefix="walsup-", dir="/tmp"))
    machine.give_to_database(place)
    tools = PgTools(machine.bindir, db_user=machine.db_user)
    try:
        found = Trapped(tools, place / "data")
        yield found
        tools.stop(found.pgdata, mode="immediate")
    finally:
        shutil.rmtree(place)


def unqualified(statement: str) -> str:
    """What somebody would write who trusts the path."""
    bare = re.sub(r"operator\(pg_catalog\.(.+?)\)", r"\1", statement)
    return bare.replace("pg_catalog.", "")


def test_b_no_statement_springs_a_trap_by_the_settings_of_its_session(trapped: Trapped) -> None:
    """Not even when no name in it is qualified: the startup packet decides."""
    for database in ("app", "postgres"):
        for purpose in Purpose:
            for choice in startup_settings.settings(purpose, MAJOR):
                for statement in STATEMENTS:
                    asyncio.run(trapped.run(unqualified(statement), database, choice))
    assert trapped.is_unsprung(), trapped.log()


def test_b_no_statement_springs_a_trap_by_its_own_words(trapped: Trapped) -> None:
    """Not even in a session with the database's own path, which begins with the traps."""
    for database in ("app", "postgres"):
        for statement in STATEMENTS:
            asyncio.run(trapped.run(statement, database, {}))
    assert trapped.is_unsprung(), trapped.log()


def test_b_a_statement_without_both_springs_a_trap(trapped: Trapped) -> None:
    """The traps are ones: this is what the two rules prevent. The last test of this module."""
    sprung = []
    for statement in STATEMENTS:
        before = trapped.log().count(traps.SPRUNG)
        asyncio.run(trapped.run(unqualified(statement), "app", {}))
        if trapped.log().count(traps.SPRUNG) > before:
            sprung.append(statement)
    assert len(sprung) > len(STATEMENTS) / 2
    owner = "select rolsuper from pg_catalog.pg_authid where rolname = 'mallory'"
    assert trapped.psql(owner, database="template1") == "t"


def test_b_a_whole_walsup_springs_no_trap_and_logs_no_verifier(walsup: Make) -> None:
    """Agent, engine, commands and a standby, in a cluster whose databases are all trapped."""
    env = LEASE | {"WALSUP_REPLICATION_PASSWORD": SECRET}
    one = walsup(env=env, args=LOGGED)
    archive = one.environment.pop("WALSUP_ARCHIVE")
    one.start()
    one.wait_accepts()
    one.psql("create database app")
    one.psql("create extension pg_stat_statements")
    for database in DATABASES:
        traps.lay(one.psql, database, casts=False)
    # Whoever may do that in a database of his own has it done to all that enter.
    one.psql("alter database app set role = mallory", database="template1")
    one.psql("drop role walsup_replication", database="template1")
    assert one.stop() == 0
    one.environment["WALSUP_ARCHIVE"] = archive
    one.start()
    one.wait_event("replication.role")
    wait_backup(one)
    collation = one.wait_for(lambda: status(one)["faults"].get("collation"), "the collation")
    assert "evil.aged of app" in collation["problem"]
    assert_nothing_sprung(one)
    two = streaming(walsup, one)
    one.environment["WALSUP_REPLICATION_USER"] = "pg_monitor"  # which nobody may alter
    assert one.stop() == 0
    one.start()
    refused = one.wait_for(lambda: status(one)["faults"].get("replication"), "it is refused")
    assert "SCRAM" not in refused["problem"]
    assert_nothing_sprung(one)
    assert one.stop() == 0
    done = cli(two, "promote", "--force")
    assert done.returncode == 0, done.stderr
    two.wait_for(lambda: status(two)["gate"]["state"] == "open", "it archives", timeout_s=60)
    assert all(traps.are_unsprung(two.psql, name, two.log()) for name in DATABASES), two.tail()
    assert VERIFIER not in two.log()


def wait_backup(one: Walsup) -> None:
    """Wait until the engine has taken a base backup."""
    one.wait_for(lambda: status(one)["backup"]["state"] == "proven", "a backup", timeout_s=90)


def assert_nothing_sprung(one: Walsup) -> None:
    """Neither a trap, nor is a verifier in the log or among the statements that were counted."""
    for database in DATABASES:
        assert traps.are_unsprung(one.psql, database, one.log()), one.tail()
    assert VERIFIER not in one.log()
    counted = (
        "set search_path = pg_catalog, public; select count(*) from public.pg_stat_statements"
        f" where strpos(query, '{VERIFIER}') > 0"
    )
    assert one.psql(counted) == "0"
