"""Restore: from an empty directory to the first answer, and the replay within it.

The peer is the bare engine: its backup-fetch, then the same replay through its daemon's client,
without an agent. The floor is `ln` out of a local directory.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.figures import Measure, Row, Runs, Target
from bench.ground import Ground
from dev.harness import Walsup, wait_until
from dev.harness.checks.witness import wait_no_lag, wait_protected
from dev.harness.processes.layout import Layout
from dev.harness.processes.pg import PgToolError, PgTools
from dev.harness.scenarios.clones import source_of
from walsup import settings
from walsup.archive.engine import adapter, restore_command
from walsup.archive.engine.reader_config import render_reader

_WALSUP, _PEER, _FLOOR = "walsup", "bare engine", "ln"
_SEGMENTS = 50
_TIMEOUT_S = 300.0
_REDO = re.compile(r"redo done at .*elapsed: ([\d.]+) s")
# A mebibyte of random hex a row; what is emitted is WAL that replays in no time, so that fetching
# is what is measured.
_WRITE = """
create table noise as
  select i, string_agg(md5(random()::text || i || j), '') as hex
  from generate_series(1, 16) i, generate_series(1, 32768) j group by i;
"""
_EMIT = """
select count(pg_logical_emit_message(false, 'bench', hex))
  from generate_series(1, {segments}) s, noise;
"""


def measure(ground: Ground) -> Sequence[Row]:
    """One archive; each side restores it in turn."""
    with Walsup(ground.machine, engine=ground.engine, s3=ground.s3) as source:
        _write(source)
        local = _local_copy(ground, source)
        replayed = Runs()
        sides: dict[str, Callable[[], tuple[float, float]]] = {
            _WALSUP: lambda: _through_walsup(ground, source),
            _PEER: lambda: _bare(ground, source, None),
            _FLOOR: lambda: _bare(ground, source, local),
        }

        def round_of(side: str) -> Callable[[], float]:
            def run() -> float:
                total_s, redo_s = sides[side]()
                rate = _SEGMENTS / redo_s
                replayed.add({side: rate})
                ground.say(f"replay: {side} {rate:.4g} segments/s")
                return total_s

            return run

        runs = ground.in_turn("restore", {side: round_of(side) for side in sides}, unit="s")
        shutil.rmtree(local)
    return [
        Row(
            name="restore",
            engine=ground.engine,
            unit="s",
            walsup=runs.series(_WALSUP),
            peer=runs.series(_PEER),
            target=Target(measure=Measure.RATIO_AT_MOST, limit=1.2),
        ),
        Row(
            name="replay",
            engine=ground.engine,
            unit="segments/s",
            walsup=replayed.series(_WALSUP),
            peer=replayed.series(_PEER),
            others=(replayed.series(_FLOOR),),
            target=Target(measure=Measure.RATIO_AT_LEAST, limit=0.9),
        ),
    ]


def _write(source: Walsup) -> None:
    source.environment["WALSUP_ARCHIVE_TIMEOUT"] = "5s"
    source.start()
    wait_protected(source)
    source.psql(_WRITE, timeout_s=_TIMEOUT_S)
    source.psql(_EMIT.format(segments=_SEGMENTS), timeout_s=_TIMEOUT_S)
    source.psql("create table mark as select 1 n")
    wait_no_lag(source, timeout_s=_TIMEOUT_S)
    source.stop()


def _through_walsup(ground: Ground, source: Walsup) -> tuple[float, float]:
    """Give the seconds of the whole, and those of its replay."""
    clone = Walsup(ground.machine, engine=ground.engine, env=source_of(ground.s3, source.prefix))
    with clone:
        began_s = time.monotonic()
        clone.start()
        clone.wait_accepts(timeout_s=_TIMEOUT_S)
        took_s = time.monotonic() - began_s
        return took_s, _redo_s(clone.log())


def _bare(ground: Ground, source: Walsup, local: Path | None) -> tuple[float, float]:
    """The same by hand; `local`: segments that are there already."""
    layout = Layout(ground.machine)
    tools = PgTools(ground.machine.bindir, db_user=ground.machine.db_user)
    environment = layout.environment(ground.machine, ground.engine)
    known = settings.origin(
        settings.load(environment | source_of(ground.s3, source.prefix)), own=False
    )
    carrier = adapter.choose(known, environment["PATH"])
    if not isinstance(carrier, adapter.Engine):
        raise FileNotFoundError(carrier.problem)
    config = layout.run_dir / restore_command.READER_CONFIG
    config.write_text(render_reader(known, layout.run_dir, 1 << 24, known.region, carrier))
    ground.machine.give_to_database(config)
    layout.pgdata.mkdir(mode=0o700)
    ground.machine.give_to_database(layout.pgdata)
    daemon: subprocess.Popen[bytes] | None = None
    began_s = time.monotonic()
    try:
        _as_database(ground, carrier.restore_argv(config, layout.pgdata, "LATEST"), layout.base)
        signal = layout.pgdata / "recovery.signal"
        signal.touch()
        ground.machine.give_to_database(signal)
        socket = layout.run_dir / restore_command.READER_SOCKET
        command = f"ln {local}/%f %p"
        if local is None:
            daemon = _daemon(ground, carrier.daemon_argv(config, socket), layout)
            wait_until(socket.exists, "the daemon's socket")
            ours = restore_command.restore_command(carrier, layout.run_dir)
            # The client alone, at the daemon's own socket.
            command = ours.partition("}; ")[2].partition(" 2>")[0]
            command = command.replace(restore_command.PROXY_SOCKET, restore_command.READER_SOCKET)
        address = tools.start(
            layout.pgdata,
            port=layout.pg_port,
            settings={"restore_command": command, "archive_mode": "off", "hot_standby": "off"},
        )

        def answers() -> bool:
            try:
                return tools.psql(address, "select n from mark") == "1"
            except PgToolError:
                return False

        wait_until(answers, "it answers", timeout_s=_TIMEOUT_S)
        took_s = time.monotonic() - began_s
        return took_s, _redo_s(Path(f"{layout.pgdata}.log").read_text(errors="replace"))
    finally:
        if (layout.pgdata / "postmaster.pid").exists():
            tools.stop(layout.pgdata, mode="immediate")
        if daemon is not None:
            daemon.kill()
            daemon.wait()
        layout.remove()


def _local_copy(ground: Ground, source: Walsup) -> Path:
    """Give a directory with every segment, decompressed, and the database's own."""
    target = source.layout.base / "local"
    target.mkdir(mode=0o700)
    ground.machine.give_to_database(target)
    config = source.run_dir / "engine.json"
    path = ground.machine.search_path(ground.engine)
    program = shutil.which(ground.engine, path=path)
    names = {key.rpartition("/")[2][:24] for key in ground.s3.keys(f"{source.prefix}/wal_005/")}
    for name in sorted(name for name in names if len(name) == 24):  # noqa: PLR2004 (a WAL name)
        argv = [str(program), "--config", str(config), "wal-fetch", name, str(target / name)]
        _as_database(ground, argv, source.layout.base)
    return target


def _as_database(ground: Ground, argv: Sequence[str], base: Path) -> None:
    user = ground.machine.db_user or None
    subprocess.run(
        argv,
        check=True,
        capture_output=True,
        cwd=base,
        env={"PATH": os.environ["PATH"], "HOME": "/"},
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def _daemon(ground: Ground, argv: Sequence[str], layout: Layout) -> subprocess.Popen[bytes]:
    user = ground.machine.db_user or None
    with layout.log_file.open("ab") as log:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": os.environ["PATH"], "HOME": "/", "PGDATA": str(layout.pgdata)},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def _redo_s(log: str) -> float:
    """Give the seconds that postgres says its replay took."""
    found = _REDO.search(log)
    if found is None:
        raise AssertionError("postgres said nothing of its redo")
    return float(found[1])
