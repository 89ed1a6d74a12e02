"""Memory of each process after a rest. PSS counts a shared page by its share.

What other Pythons on this machine share with ours lowers PSS, so RSS stands beside it.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Measure, Row, Runs, Target
from bench.ground import Ground
from bench.side import Bare, ThroughWalsup

_SCRAPES = 240  # an hour's worth, one each 15 s
_PROBES = ("/livez", "/readyz", "/status")
_MB = 1e6
_KIB = 1024
_TARGETS = {
    "PID 1 RSS": Target(measure=Measure.AT_MOST, limit=13),
    "agent PSS": Target(measure=Measure.AT_MOST, limit=52),
    "agent peak RSS": Target(measure=Measure.AT_MOST, limit=60),
}
_BARE = "bare daemon"


def measure(ground: Ground) -> Sequence[Row]:
    """Each round is a new walsup beside a new bare daemon; both rest for the same time."""
    runs = Runs()
    for number in range(1, ground.rounds + 1):
        runs.add(figures := _round(ground))
        told = ", ".join(f"{name} {figure:.1f}" for name, figure in figures.items())
        ground.say(f"memory {number}/{ground.rounds}: {told} MB")
    return [
        Row(
            name=name,
            engine=ground.engine,
            unit="MB",
            walsup=runs.series(name),
            peer=runs.series(f"{_BARE} {name[-3:]}") if name.startswith("engine") else None,
            target=_TARGETS.get(name),
        )
        for name in runs.found
        if not name.startswith(_BARE)
    ]


def _round(ground: Ground) -> dict[str, float]:
    with ThroughWalsup(ground, backup=True) as side, Bare(ground) as bare:
        walsup = side.walsup
        walsup.wait_for(
            lambda: walsup.http("/status")[1]["protected"], "it is protected", timeout_s=90
        )
        bare.tools.psql(bare.address, "select pg_switch_wal()")
        for _ in range(_SCRAPES):
            status, body = walsup.http("/metrics")
            if status != 200:  # noqa: PLR2004 (HTTP's word for yes)
                raise AssertionError(f"/metrics answered {status}: {body}")
            for path in _PROBES:
                walsup.http(path)
            time.sleep(ground.idle_s / _SCRAPES)
        figures = {
            **_of(walsup.init_pid, "PID 1"),
            **_of(walsup.pid_of("agent"), "agent"),
            "agent peak RSS": _read(walsup.pid_of("agent"), "status", "VmHWM"),
            **_of(side.engine_pid, "engine"),
            **_of(bare.engine_pid, _BARE),
        }
        members = (member.outer_pid for member in walsup.members())
        figures["whole container PSS"] = sum(_read(pid, "smaps_rollup", "Pss") for pid in members)
        return figures


def _of(pid: int, name: str) -> dict[str, float]:
    """RSS and PSS of a process, in units of 10⁶ bytes."""
    return {
        f"{name} RSS": _read(pid, "smaps_rollup", "Rss"),
        f"{name} PSS": _read(pid, "smaps_rollup", "Pss"),
    }


def _read(pid: int, file: str, label: str) -> float:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == label:
            return int(value.split()[0]) * _KIB / _MB
    raise ValueError(f"/proc/{pid}/{file} has no {label}")
