"""Steps: the S3 server, walsup as PID 1, the database, the first base backup."""

import pwd
import subprocess
import time

from dev.demo.bucket import Sentinel, find_sentinel
from dev.demo.stage import Stage
from dev.harness import NotSeenError
from dev.harness.processes.namespace import launcher, real_uid


def start_s3(stage: Stage) -> None:
    """The S3 server answers."""
    stage.narrator.does("starting SeaweedFS, a real S3 server, on this machine only")
    stage.s3.start()
    stage.narrator.saw(f"S3 at {stage.s3.endpoint} stored an object and gave it back")


def start_walsup(stage: Stage) -> None:
    """walsup is PID 1 and its HTTP port answers."""
    say, walsup = stage.narrator, stage.walsup
    say.does(f"starting walsup on an empty data directory, {walsup.pgdata}")
    began_s = time.monotonic()
    walsup.start()
    walsup.wait_for(lambda: walsup.http("/livez")[0], "an answer of /livez", timeout_s=15)
    answered_s = time.monotonic() - began_s
    inner_pid = next(m.inner_pid for m in walsup.members() if m.outer_pid == walsup.init_pid)
    if launcher() and inner_pid != 1:
        raise NotSeenError(f"walsup is PID {inner_pid} of its namespace, not 1\n{walsup.tail()}")
    if launcher():
        say.saw(
            f"walsup is PID 1 of a PID namespace, as in a container (outside: {walsup.init_pid})"
        )
    else:
        say.saw("walsup runs as a subreaper: this machine allows us no PID namespace")
    say.saw(
        f"http://{walsup.environment['WALSUP_HTTP']} answered {answered_s:.2f} s after the start"
    )


def wait_database(stage: Stage) -> None:
    """postgres accepts connections."""
    say, walsup = stage.narrator, stage.walsup
    say.does("walsup runs initdb, then postgres")
    walsup.wait_accepts(timeout_s=40)
    say.saw(f"PostgreSQL {walsup.psql('show server_version').split()[0]} answers a query")
    walsup.wait_for(lambda: walsup.state().get("engine_pid"), "a running engine daemon")
    state = walsup.state()
    pids = ", ".join(f"{name} {state[f'{name}_pid']}" for name in ("agent", "postgres", "engine"))
    users = {_user(member.outer_pid) for member in walsup.members()} - {""}
    say.saw(f"below PID 1: {pids}; every process runs as {' and '.join(sorted(users))}")
    if stage.machine.db_user and users != {stage.machine.db_user}:
        raise NotSeenError(f"not all processes run as {stage.machine.db_user}: {users}")


def wait_backup(stage: Stage) -> None:
    """The first base backup is in the bucket."""
    say, walsup = stage.narrator, stage.walsup
    say.does("walsup takes the first base backup by itself; boto3 watches the bucket")

    def look() -> Sentinel | None:
        return find_sentinel(stage.s3, stage.prefix)

    found = walsup.wait_for(look, "a base backup's sentinel in the bucket", timeout_s=40)
    say.saw(f"boto3 sees {found.key} ({found.bytes} bytes)")
    say.saw(f"the backup is whole: {found.backup_bytes / 1e6:.1f} MB, compressed")
    walsup.wait_for(lambda: stage.status().get("protected"), "/status says protected", timeout_s=20)
    say.saw("/status says protected: true")


def describe(stage: Stage) -> str:
    """The parts that take part, with their versions."""
    engine = stage.walsup.engine
    path = stage.machine.search_path(engine)
    postgres = _first_line(str(stage.machine.bindir / "postgres"), "--version")
    return f"{postgres}, {_first_line('env', f'PATH={path}', engine, '--version')}, SeaweedFS"


def _user(pid: int) -> str:
    """Who runs it; empty when it has ended."""
    uid = real_uid(pid)
    if uid is None:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _first_line(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return (done.stdout + done.stderr).partition("\n")[0]
