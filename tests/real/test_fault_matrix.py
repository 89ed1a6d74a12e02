"""Every fault in turn under load: named at once, survived, and nothing is lost afterwards."""

import os
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from signal import SIGSTOP
from typing import Any

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks import witness
from dev.harness.checks.witness import Ledger, segments, verdict, wait_protected
from dev.harness.checks.words import told_alike
from dev.harness.faults.havoc import hit, victims
from dev.harness.scenarios.restore_by_hand import restore
from dev.harness.scenarios.rough_weather import Load, Lookout, Sight, etags
from walsup.postgres.wal import parse_lsn, strip_extension

Make = Callable[..., Walsup]

SOON = {
    "WALSUP_ARCHIVE_TIMEOUT": "2s",
    "WALSUP_LEASE": "5s",
    "WALSUP_STOP_GRACE": "12s",
}
_TOLD_TIMEOUT_S = 45.0
_GREEN_TIMEOUT_S = 60.0
_OLDEST_STATE_S = 20.0
_LONGER_THAN_A_LEASE_S = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What faults are made of."""

    one: Walsup
    proxy: FaultProxy
    s3: S3Server
    secret: str = "AWS_SECRET_ACCESS_KEY"

    def write_secret(self, text: str) -> None:
        """Replace the secret file as a whole."""
        file = self.one.layout.base / "secret"
        fresh = file.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(file)

    def remove(self, name: str) -> None:
        """Remove a file from the run directory."""
        (self.one.run_dir / name).unlink()


Act = Callable[[Scene], object]


def _heal(scene: Scene) -> None:
    scene.proxy.pass_through()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row: how it is made, and the classes of which one must be shown.

    `event`: what the log must tell instead, where walsup mends it by itself. `silent`: it may be
    survived without any sign. `deaf`: probes may be without an answer, for the agent is hit.
    """

    name: str
    strike: Act
    kinds: frozenset[str] = frozenset()
    event: str = ""
    cure: Act = _heal
    silent: bool = False
    deaf: bool = False


def _fault(name: str, kinds: str, strike: Act, cure: Act = _heal) -> Fault:
    return Fault(name=name, kinds=frozenset(kinds.split("/")), strike=strike, cure=cure)


def _mended(name: str, event: str, strike: Act, *, deaf: bool = False) -> Fault:
    return Fault(name=name, event=event, strike=strike, deaf=deaf)


def _without_configuration(scene: Scene) -> None:
    scene.remove("engine.json")
    scene.one.kill("engine")


SHORT = (
    _fault("refused", "refused", lambda s: s.proxy.refuse()),
    _fault("reset", "refused", lambda s: s.proxy.reset()),
    _fault("404", "no bucket", lambda s: s.proxy.answer(404)),
    _fault("503", "throttled", lambda s: s.proxy.answer(503)),
    _fault("clock", "clock skew", lambda s: s.proxy.answer(403, "RequestTimeTooSkewed")),
    _fault("cut bodies", "refused", lambda s: s.proxy.cut()),
    _fault("hanging", "timeout", lambda s: s.proxy.hang()),
    _mended("no engine.json", "engine.died", _without_configuration),
)
LONG = (
    *SHORT,
    _fault("403", "auth", lambda s: s.proxy.answer(403)),
    _fault("500", "server error", lambda s: s.proxy.answer(500)),
    Fault(
        name="slow",
        kinds=frozenset({"timeout"}),
        strike=lambda s: s.proxy.delay(2),
        silent=True,
    ),
    _fault(
        "key revoked",
        "auth",
        lambda s: s.proxy.revoke(s.s3.access_key),
        lambda s: s.proxy.reinstate(),
    ),
    _fault(
        "wrong secret in the file",
        "auth",
        lambda s: s.write_secret("wrong"),
        lambda s: s.write_secret(s.s3.secret_key),
    ),
    _mended("no engine.sock", "engine.replaced", lambda s: s.remove("engine.sock")),
    Fault(name="no lease file", strike=lambda s: s.remove("lease"), silent=True),
    Fault(name="no state file", strike=lambda s: s.remove("state"), silent=True),
    _mended("daemon stopped", "engine.replaced", lambda s: s.one.kill("engine", SIGSTOP)),
    _mended("daemon killed", "engine.died", lambda s: s.one.kill("engine")),
    _mended("agent killed", "agent.died", lambda s: s.one.kill("agent"), deaf=True),
    _mended("agent stopped", "agent.silent", lambda s: s.one.kill("agent", SIGSTOP), deaf=True),
)


class Matrix:
    """Goes through faults with one walsup, and judges what is left behind."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.one = scene.one
        self.lookout = Lookout(scene.one)
        self.sights: dict[str, Sight] = {}
        self._tags: dict[str, str] = {}

    def suffer(self, fault: Fault, hold_s: float) -> None:
        """Let one fault come, last, and go."""
        look, scene = self.lookout, self.scene
        before = len(self.one.events(fault.event)) if fault.event else 0
        look.begin()
        fault.strike(scene)
        if fault.event:
            look.until(
                lambda _: len(self.one.events(fault.event)) > before,
                f"{fault.name}: {fault.event}",
                timeout_s=_TOLD_TIMEOUT_S,
            )
        elif not fault.silent:
            look.until(
                lambda seen: fault.kinds & _kinds(seen),
                f"{fault.name}: {set(fault.kinds)}",
                timeout_s=_TOLD_TIMEOUT_S,
            )
            look.sight.told_s = look.elapsed_s
            self.one.wait_for(lambda: self._told_alike(fault), f"{fault.name}: in four places")
        look.hold(hold_s)
        fault.cure(scene)
        self._goes_green(fault)
        self.sights[fault.name] = look.sight
        print(f"{self.one.engine:7} {fault.name:25} {look.sight}")  # noqa: T201 (figures)
        assert "unknown" not in look.sight.kinds
        assert fault.deaf or not look.sight.deaf
        assert look.sight.oldest_state_s < _OLDEST_STATE_S
        assert len(self.one.events("postgres.started")) == 1

    def _told_alike(self, fault: Fault) -> bool:
        """Log, /status, readiness and metric tell of it in the same words."""
        standing = witness.status(self.one).get("faults", {}).items()
        return any(
            told_alike(self.one, subject, found["kind"])
            for subject, found in standing
            if found["kind"] in fault.kinds
        )

    def _goes_green(self, fault: Fault) -> None:
        """No fault stands, and what was written before the cure is proven."""
        look, began_s = self.lookout, self.lookout.elapsed_s
        lsn = parse_lsn(self.one.psql("select pg_current_wal_lsn()"))
        look.until(
            lambda seen: (
                seen["protected"]
                and not seen["faults"]
                and parse_lsn(seen["lag"]["proven_lsn"]) >= lsn
            ),
            f"all is green after: {fault.name}",
            timeout_s=_GREEN_TIMEOUT_S,
        )
        look.sight.green_s = look.elapsed_s - began_s
        self.compare()

    def compare(self) -> None:
        """What was in the archive is there unchanged; no segment is there twice."""
        tags = etags(self.scene.s3, self.one.prefix)
        changed = {key for key, tag in self._tags.items() if tags.get(key) != tag}
        assert not changed
        names = [strip_extension(key) for key in tags]
        assert len(names) == len(set(names))
        self._tags = tags

    def random_minute(self, chance: random.Random, seconds: float) -> int:
        """Stop and kill processes at random; gives how many were hit."""
        self.lookout.begin()
        until_s, hits = time.monotonic() + seconds, 0
        while time.monotonic() < until_s:
            if found := victims(self.one):
                hits += hit(chance, chance.choice(found))
            self.lookout.hold(chance.uniform(0.1, 1.5))
        self._goes_green(Fault(name="a random minute", strike=_heal))
        print(f"{self.one.engine:7} {hits} hits at random: {self.lookout.sight}")  # noqa: T201
        assert len(self.one.events("postgres.started")) == 1
        return hits


def _kinds(seen: dict[str, Any]) -> set[str]:
    return {fault["kind"] for fault in seen["faults"].values()}


def _gapless(names: list[str]) -> bool:
    numbers = [int(name[8:16], 16) * 256 + int(name[16:], 16) for name in names]
    return numbers == list(range(numbers[0], numbers[-1] + 1))


def _weather(
    walsup: Make, s3: S3Server, faults: Sequence[Fault], hold_s: Sequence[float], minute_s: float
) -> None:
    began_s = time.monotonic()
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=SOON)
        scene = Scene(one=one, proxy=proxy, s3=s3)
        scene.write_secret(one.environment.pop(scene.secret))
        one.environment[f"{scene.secret}_FILE"] = str(one.layout.base / "secret")
        one.start()
        wait_protected(one)
        matrix = Matrix(scene)
        postgres = one.state()["postgres_pid"]
        with Load(one) as load, Ledger(one) as ledger:
            for turn, fault in enumerate(faults):
                matrix.suffer(fault, hold_s[turn % len(hold_s)])
            if minute_s:
                seed = int(os.environ.get("WALSUP_DEV_SEED", "0")) or secrets.randbelow(1 << 30)
                print(f"seed {seed}")  # noqa: T201 (to repeat it)
                assert matrix.random_minute(random.Random(seed), minute_s) > minute_s / 10
        assert load.is_clean, load.results
        assert ledger.failures == 0
        rows = ledger.rows()
        assert rows >= ledger.acknowledged > 0
        assert one.state()["postgres_pid"] == postgres
        assert one.stop() == 0
        assert "is in the bucket: yes" in verdict(one)
        matrix.compare()
        assert _gapless(segments(s3, one.prefix))
        restored = restore(one, one.engine, one.pgdata.parent / "restored")
        assert restored == rows
    told = [
        max(0.0, s.told_s - (s.failed_s or s.told_s))
        for s in matrix.sights.values()
        if s.told_s is not None
    ]
    green = [s.green_s or 0.0 for s in matrix.sights.values()]
    print(  # noqa: T201 (figures)
        f"{one.engine}: {time.monotonic() - began_s:.0f} s, {ledger.acknowledged} rows and"
        f" {load.transactions} transactions acknowledged, {rows} rows restored,"
        f" at worst {max(told):.1f} s from failure to class, {max(green):.1f} s from cure to green"
    )


def test_s3_lost_for_a_while_is_named_and_survived(walsup: Make, s3: S3Server) -> None:
    """The faults that no other test has under load, one after the other."""
    _weather(walsup, s3, SHORT, (0.5,), 0)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_every_fault_and_a_random_minute(walsup: Make, s3: S3Server) -> None:
    """The whole of it; every other fault lasts longer than a lease."""
    _weather(walsup, s3, LONG, (2.0, _LONGER_THAN_A_LEASE_S), 60)
