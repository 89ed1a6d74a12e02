"""The server of the stage takes nothing of the operator's that moves, blocks or delays it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import Machine, Walsup

Make = Callable[..., Walsup]
# Each would keep one of the scripts below from its end; the database itself starts with all.
HOSTILE = """
data_directory = '{pgdata}'
hba_file = '{base}/hba.conf'
ident_file = '{base}/ident.conf'
external_pid_file = '{base}/reports/postmaster'
unix_socket_directories = '{base}/reports'
unix_socket_permissions = 0000
ssl = on
ssl_ca_file = '{pgdata}/server.crt'
wal_level = minimal
max_wal_senders = 0
logging_collector = on
log_directory = '{base}/reports/log'
log_destination = csvlog
archive_mode = off
pre_auth_delay = 1
post_auth_delay = 1
statement_timeout = 50ms
idle_session_timeout = 50ms
idle_in_transaction_session_timeout = 50ms
lock_timeout = 50ms
vacuum_cost_delay = 100ms
default_transaction_read_only = on
default_transaction_isolation = serializable
default_transaction_deferrable = on
exit_on_error = on
synchronous_standby_names = 'nobody'
db_user_namespace = on
shared_preload_libraries = auto_explain
"""
# With which psql goes elsewhere, or rejects the server that it finds.
OF_LIBPQ = {
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREPEER": "nobody",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGOPTIONS": "-c work_mem=5MB -c statement_timeout=50 --default_transaction_read_only=on",
}
SCRIPTS = {
    "1.sql": "create table t (n int); select pg_sleep(0.2); insert into t values (1);",
    "2.sh": '(echo "begin; insert into t values (2);"; sleep 0.2; echo "commit;";'
    ' sleep 0.2; echo "insert into t values (3);") | "${psql[@]}"',
    "3.sql": "do $$ begin perform 1/0; exception when others then null; end $$;"
    " insert into t values (4);",
    # The certificate is of this cluster, so it cannot be there before.
    "4.sh": 'openssl req -new -x509 -nodes -subj /CN=x -out "$PGDATA/server.crt"'
    ' -keyout "$PGDATA/server.key" 2>/dev/null && chmod 600 "$PGDATA/server.key"',
    # Where a script writes a line for the database, it finds the database's own file.
    "5.sh": "echo '# mine' >>\"$(psql -XAtc 'show hba_file')\"\n"
    "psql -XAtc 'show shared_preload_libraries' -c 'show work_mem' >\"$REPORTS/kept\"",
}


@pytest.fixture
def make(machine: Machine) -> Iterator[Make]:
    """Makes a walsup without archive; its scripts lie in `base/scripts`."""
    made: list[Walsup] = []

    def _make(scripts: dict[str, str], **given: object) -> Walsup:
        one = Walsup(machine, **given)  # type: ignore[arg-type]
        made.append(one)
        for name in ("scripts", "reports"):
            (one.layout.base / name).mkdir()
            machine.give_to_database(one.layout.base / name)
        one.environment |= {
            "WALSUP_INITDB_DIR": str(one.layout.base / "scripts"),
            "REPORTS": str(one.layout.base / "reports"),
        }
        for name, text in scripts.items():
            (one.layout.base / "scripts" / name).write_text(text)
        return one

    yield _make
    for one in made:
        if one.layout.log_file.exists():
            print(one.tail())  # noqa: T201 - pytest keeps it for a failure's report
        one.close()


def test_settings_that_move_block_or_delay_do_not_reach_the_stage(make: Make) -> None:
    """A file elsewhere names the data directory, and with it everything that can be in the way."""
    one = make(SCRIPTS, env=OF_LIBPQ)
    base = one.layout.base
    (base / "hba.conf").write_text("local all all reject\n")
    (base / "ident.conf").touch()
    file = base / "my.conf"
    file.write_text(HOSTILE.format(base=base, pgdata=one.pgdata))
    one.args = ["-c", f"config_file={file}", "-D", str(one.pgdata)]
    one.start().wait_event("postgres.started", timeout_s=60)
    assert [Path(each).name for each in one.events("initdb.scripts_ended")[0]["scripts"]] == [
        *sorted(SCRIPTS)
    ]
    assert (base / "reports" / "kept").read_text() == "auto_explain\n5MB\n"
    assert (one.pgdata / "pg_hba.conf").read_text().endswith("# mine\n")
    # What it says is where a failed start looks for it.
    said = (one.run_dir / "initdb.d-server.log").read_text()
    assert "ready to accept connections" in said
    # It is the operator's database now, with the operator's settings.
    one.wait_for((base / "reports" / "postmaster").exists, "postgres runs with them")
    assert one.stop() == 0
    one.args = []
    one.start().wait_accepts()
    assert one.psql("select string_agg(n::text, ' ' order by n) from t") == "1 2 3 4"


def test_a_script_that_takes_long_is_said_to_run(make: Make) -> None:
    """A start has no time limit, so its state names what it waits for."""
    script = 'printf "half a line"; until [ -e "$REPORTS/go" ]; do sleep 0.1; done'
    one = make({"1.sh": script, "2.sql": "select 1;"})
    path = one.layout.base / "scripts" / "1.sh"
    said = f"initdb.d: running {path}"
    one.start().wait_for(lambda: one.state().get("detail", "").startswith(said), "it is said")
    one.wait_for(lambda: said in str(one.http("/startupz")), "the probe says so", timeout_s=20)
    logged = one.wait_event("initdb.script_runs", timeout_s=40)
    assert logged["script"] == str(path)
    (one.layout.base / "reports" / "go").touch()
    one.wait_accepts()
    assert one.state()["detail"] == ""


def test_a_file_elsewhere_may_include_the_clusters_own(make: Make) -> None:
    """Which is in the stage while the scripts run."""
    script = "psql -XAtc 'show work_mem' -c 'show cluster_name' >\"$REPORTS/shown\""
    one = make({"1.sh": script})
    file = one.layout.base / "my.conf"
    lines = ("cluster_name = 'it''s \\\\ ours'", f"include '{one.pgdata}/postgresql.conf'")
    file.write_text("\n".join((*lines, "include_if_exists 'absent'", "work_mem = 6MB\n")))
    one.args = ["-c", f"config_file={file}"]
    one.start().wait_accepts(timeout_s=60)
    assert (one.layout.base / "reports" / "shown").read_text() == "6MB\nit's \\ ours\n"
    assert one.psql("show config_file") == str(file)
    assert one.psql("show work_mem") == "6MB"


def test_a_file_elsewhere_does_not_move_the_database(make: Make) -> None:
    """An empty other place is displaced; another database there is the operator's to decide."""
    one = make({"1.sql": "create table t (n int);"})
    other = one.layout.base / "other"
    other.mkdir()
    file = one.layout.base / "my.conf"
    file.write_text(f"data_directory = '{other}'\n")
    one.args = ["-c", f"config_file={file}"]
    one.start().wait_accepts(timeout_s=60)
    assert one.psql("show data_directory") == str(one.pgdata)
    assert one.psql("select count(*) from t") == "0"
    assert [event["name"] for event in one.events("setting.displaced")] == ["data_directory"]
    assert one.stop() == 0
    (other / "PG_VERSION").write_text("15\n")
    assert one.start().wait() == 64
    assert f"{other}, which holds a database" in one.log()
