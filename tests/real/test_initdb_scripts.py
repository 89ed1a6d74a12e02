"""initdb.d: scripts of every kind, in the stage, before the port opens; cut off, never half."""

import gzip
import lzma
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import Machine, Walsup
from dev.harness.checks.witness import verdict

Make = Callable[..., Walsup]
SECRET = "pg-secret-of-walsup-tests"
# Says what the server of the stage is given and where it listens.
LOOKS = r"""
server=$(head -n 1 "$PGDATA/postmaster.pid")
tr '\0' '\n' <"/proc/$server/environ" >"$REPORTS/server.env"
tr '\0' '\n' <"/proc/$server/cmdline" >"$REPORTS/server.argv"
env >"$REPORTS/script.env"
(: <>"/dev/tcp/127.0.0.1/$PGPORT") 2>/dev/null && port=open || port=shut
echo "$port" >"$REPORTS/tcp"
[ "$(psql -At -c 'show fsync')" = off ]
"""


@pytest.fixture
def make(machine: Machine) -> Iterator[Make]:
    """Makes a walsup without archive; its scripts lie in `base/scripts`."""
    made: list[Walsup] = []

    def _make(scripts: dict[str, str | bytes], **env: str | None) -> Walsup:
        one = Walsup(machine, env=env)
        made.append(one)
        for name in ("scripts", "reports"):
            (one.layout.base / name).mkdir(mode=0o777)
            (one.layout.base / name).chmod(0o777)
        one.environment |= {
            "WALSUP_INITDB_DIR": str(one.layout.base / "scripts"),
            "REPORTS": str(one.layout.base / "reports"),
        }
        for name, text in scripts.items():
            put(one, name, text)
        return one

    yield _make
    for one in made:
        if one.layout.log_file.exists():
            print(one.tail())  # noqa: T201 - pytest keeps it for a failure's report
        one.close()


def put(one: Walsup, name: str, text: str | bytes, mode: int = 0o644) -> Path:
    """Write a script; one that begins with #! may be executed."""
    path = one.layout.base / "scripts" / name
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(content)
    path.chmod(0o755 if content.startswith(b"#!") else mode)
    return path


def report(one: Walsup, name: str) -> str:
    """What a script has left."""
    return (one.layout.base / "reports" / name).read_text()


def packed(sql: str, *program: str) -> bytes:
    """A packed script."""
    return subprocess.run(program, input=sql.encode(), capture_output=True, check=True).stdout


def test_every_kind_runs_in_name_order_before_the_port_opens(make: Make) -> None:
    """The server of the stage has no TCP, fewer variables than the scripts, and no password."""
    row = "insert into t values ('{}');".format
    one = make(
        {
            "01-sourced.sh": "docker_process_sql <<<'create table t (k text, n serial)'\nleft=here",
            "02-sql.sql": row("sql"),
            "03-gz.sql.gz": gzip.compress(row("gz").encode()),
            "04-xz.sql.xz": lzma.compress(row("xz").encode()),
            "05-zst.sql.zst": packed(row("zst"), "zstd", "-c"),
            "06-run.sh": "#!/bin/bash\nset -e\npsql -c \"insert into t values ('run')\"\n" + LOOKS,
            "07-again.sh": '[[ $left = here ]]\n"${psql[@]}" -c "insert into t values (\'psql\')"',
            "08-conf.sh": 'touch "$PGDATA/my.crt"\n'
            'echo "ssl_ca_file = \'$PGDATA/my.crt\'" >>"$PGDATA/postgresql.conf"\n'
            "psql -c \"alter system set work_mem = '5MB'\"\n",
            "09-readme.txt": "not a script",
            "10-file.sh": 'echo of a file >"$REPORTS/given"; OURS_FILE=$REPORTS/given\n'
            "file_env OURS; file_env MISSING usual\n"
            '[[ $OURS = "of a file" && $MISSING = usual && -z $OURS_FILE ]]',
        },
        POSTGRES_DB="shop of ours",
        POSTGRES_USER="the boss",
        AWS_SECRET_ACCESS_KEY="of-the-bucket",
        AWS_ACCESS_KEY_ID="of-the-bucket",
        APP_PASSWORD="of the operator",
    )
    one.start().wait_for(lambda: one.events("postgres.started"), "postgres", timeout_s=60)
    ask = {"user": "the boss", "database": "shop of ours"}
    one.wait_for(lambda: _answers(one, **ask), "it answers")
    kinds = one.psql("select string_agg(k, ' ' order by n) from t", **ask)
    assert kinds == "sql gz xz zst run psql"
    assert one.psql("show work_mem", **ask) == "5MB"
    assert one.psql("show ssl_ca_file", **ask) == f"{one.pgdata}/my.crt"
    assert one.psql("show fsync", **ask) == "on"
    script, server = report(one, "script.env").splitlines(), report(one, "server.env")
    for line in (
        f"POSTGRES_PASSWORD={SECRET}",
        "POSTGRES_USER=the boss",
        "POSTGRES_DB=shop of ours",
        "PGUSER=the boss",
        "PGDATABASE=shop of ours",
        "APP_PASSWORD=of the operator",
        f"PGDATA={one.pgdata}/.walsup-stage/data",
    ):
        assert line in script
    assert "of-the-bucket" not in report(one, "script.env")
    assert "PASSWORD" not in server
    assert "listen_addresses=\n" in report(one, "server.argv")
    assert report(one, "tcp") == "shut\n"
    ignored = [event["path"] for event in one.events("initdb.ignored")]
    assert [Path(path).name for path in ignored] == ["09-readme.txt"]
    assert one.events("bootstrap.ended")[0]["message"].startswith(
        "PostgreSQL init process complete"
    )
    assert not list(one.pgdata.glob(".walsup-stage"))
    assert one.stop() == 0
    one.start().wait_for(lambda: _answers(one, **ask), "it answers again")
    assert "Skipping initialization" in one.events("bootstrap.skipped")[0]["message"]
    assert not one.events("initdb.scripts")


def _answers(one: Walsup, **ask: str) -> bool:
    try:
        return one.psql("select 1", **ask) == "1"
    except (FileNotFoundError, AssertionError):
        return False


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("1.sql", "select 1/0;", "division by zero"),
        ("1.sh", "false", "ended with exit code 1"),
        ("1.sh", "#!/bin/sh\necho sorry; exit 7", "ended with exit code 7"),
        ("1.sh", "exit 0", "called `exit`"),
        ("1.sql.gz", "no gzip", "not in gzip format"),
    ],
)
@pytest.mark.rule("stage")
def test_a_failing_script_fails_the_start_and_the_next_begins_anew(
    make: Make, name: str, text: str, said: str
) -> None:
    """Its name, its end and its last lines are the refusal; no cluster is left."""
    one = make({"0.sql": "create table before (n int);", name: text, "2.sql": "select 'never'"})
    assert one.start().wait(60) == 70
    assert f"{one.layout.base}/scripts/{name} " in verdict(one)
    assert said in verdict(one)
    assert "never" not in verdict(one)
    assert not (one.pgdata / "PG_VERSION").exists()
    put(one, name, "#!/bin/sh\ntrue" if name.endswith(".sh") else gzip.compress(b"select 1;"))
    if name == "1.sql":
        put(one, name, "select 1;")
    one.start().wait_accepts(timeout_s=60)
    assert one.psql("select count(*) from before") == "0"


@pytest.mark.rule("logs")
def test_the_error_has_20_lines_and_no_secret(make: Make) -> None:
    """What a script prints lies in a file of the run directory."""
    one = make({"1.sh": 'seq 100 160\necho "with $POSTGRES_PASSWORD"\nfalse'})
    assert one.start().wait(60) == 70
    assert SECRET not in one.log()
    assert SECRET not in verdict(one)
    shown = [line.strip() for line in verdict(one).splitlines() if line.startswith("  ")]
    assert shown == [*map(str, range(142, 161)), "with ***"]
    assert "110" in (one.run_dir / "initdb.d.log").read_text()


@pytest.mark.rule("stop-during-start")
def test_a_term_while_scripts_run_ends_cleanly(make: Make) -> None:
    """Exit code 0, nothing half; the next start begins anew."""
    one = make({"1.sql": "create table t (n int);", "2.sh": 'touch "$REPORTS/here"; sleep 1000'})
    one.start().wait_for((one.layout.base / "reports" / "here").exists, "it runs", timeout_s=60)
    assert one.stop(timeout_s=20) == 0
    assert not (one.pgdata / "PG_VERSION").exists()
    put(one, "2.sh", "true")
    one.start().wait_accepts(timeout_s=60)
    assert one.psql("select count(*) from t") == "0"


@pytest.mark.rule("stage")
def test_a_kill_while_scripts_run_leaves_nothing_half(make: Make) -> None:
    """As with a kill during initdb."""
    one = make({"1.sql": "create table t (n int);", "2.sh": 'touch "$REPORTS/here"; sleep 1000'})
    one.start().wait_for((one.layout.base / "reports" / "here").exists, "it runs", timeout_s=60)
    one.kill_tree()
    put(one, "2.sh", "true")
    one.start().wait_accepts(timeout_s=60)
    assert one.psql("select count(*) from t") == "0"


def test_what_cannot_be_read_stops_before_initdb(make: Make, machine: Machine) -> None:
    """A directory, or a script in it; nothing has been made."""
    if not machine.db_user:
        return  # who owns a file may always give himself the right
    for locked in ("scripts", "scripts/1.sql"):
        one = make({"1.sql": "select 1;"})
        (one.layout.base / locked).chmod(0o700 if locked == "scripts" else 0o600)
        assert one.start().wait() == 68
        assert f"{locked} cannot be read" in verdict(one)
        assert not list(one.pgdata.iterdir())


def test_a_directory_that_is_set_must_be_there(make: Make) -> None:
    """Else a forgotten mount would make a database without its tables."""
    one = make({}, WALSUP_INITDB_DIR=None)
    one.environment["WALSUP_INITDB_DIR"] = "/nowhere/scripts"
    assert one.start().wait() == 68
    assert "/nowhere/scripts cannot be read: there is no such directory" in verdict(one)


def test_a_script_may_restart_the_server(make: Make) -> None:
    """As some do, for a setting that needs it."""
    one = make(
        {
            "1.sh": 'psql -c "alter system set max_connections = 23"\n'
            'pg_ctl -D "$PGDATA" -w restart -l "$REPORTS/server.log"',
            "2.sh": '[[ $(psql -At -c "show max_connections") = 23 ]]',
        }
    )
    one.start().wait_accepts(timeout_s=60)
    assert one.psql("show max_connections") == "23"
    assert one.stop() == 0


@pytest.mark.rule("any-uid")
def test_any_uid_runs_scripts(make: Make, machine: Machine) -> None:
    """A uid without a name, as a cluster's policy may give one."""
    if not machine.db_user:
        return  # this is what all tests do then
    one = make({"1.sh": "#!/bin/sh\npsql -c 'create table mine (n int)'", "2.sql": "select 1;"})
    uid = 54321
    for directory in (one.layout.volume, one.run_dir):
        os.chown(directory, uid, uid)
    one.program = [
        *("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
        *one.program,
    ]
    one.start().wait_accepts(timeout_s=60)
    assert one.psql("select count(*) from mine") == "0"
    assert (one.pgdata / "PG_VERSION").stat().st_uid == uid
    assert one.stop() == 0


def test_a_password_that_is_the_users_name_does_not_hide_the_text(make: Make) -> None:
    """What is called a password is cut; the role's name, and the program's, are shown."""
    said = 'role "postgres" of postgres, postgres://postgres:postgres@h/postgres'
    one = make({"10.sh": f"echo '{said}'; exit 3"}, POSTGRES_PASSWORD="postgres").start()
    assert one.wait() == 70
    (told,) = one.events("setting.guessable")
    assert "POSTGRES_PASSWORD is the same as POSTGRES_USER" in told["problem"]
    shown = 'role "postgres" of postgres, postgres://postgres:***@h/postgres'
    assert shown in verdict(one)
