"""A random schedule of a fleet: starts, stops, kills, pauses, copies, snapshots, adoptions."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from dev.harness.checks.archive_watch import ArchiveWatch
from dev.harness.checks.witness import wait_protected
from dev.harness.scenarios.fleet import LEASE_S, Fleet, Node
from dev.harness.scenarios.remedies import bring_out, holder, wait_settled

_PAUSE_S = 4.5 * LEASE_S
_WEIGHTS = {
    "start": 6,
    "write": 6,
    "stop": 2,
    "kill": 2,
    "pause": 4,
    "resume": 6,
    "copy": 3,
    "snapshot": 1,
    "restore": 1,
    "branch": 1,
    "adopt": 1,
    "agent": 1,
    "postgres": 1,
    "remove owner": 0.4,
}


class Schedule:
    """One schedule. `told` says what was done; the seed alone decides about it and its order."""

    def __init__(self, fleet: Fleet, watch: ArchiveWatch, seed: int) -> None:
        self.told: list[str] = []
        self.ways: list[str] = []
        self.final: Node | None = None
        self._fleet, self._watch = fleet, watch
        self._chance = random.Random(seed)  # noqa: S311 (chance picks what happens, no secret)
        self._row = 0
        self._snapshots: list[Path] = []
        self._began_s = time.monotonic()

    def run(self, actions: int) -> None:
        """Do so many things, then bring every node out of where it is."""
        nodes = self._fleet.nodes
        nodes[0].start()
        wait_protected(nodes[0].walsup)
        self._write(nodes[0])
        self._tell(nodes[0], "protected")
        if self._chance.random() < 0.7:  # noqa: PLR2004 (else the others are no copies of it)
            self._stop(nodes[0])
            for other in nodes[1:]:
                self._copy_to(other)
        for _ in range(actions):
            self._act()
            time.sleep(self._chance.choice((0.05, 0.3, 1.0)))
        self._bring_all_out()

    def _act(self) -> None:
        possible = [
            (name, node)
            for name in _WEIGHTS
            for node in self._fleet.nodes
            if self._allows(name, node)
        ]
        weights = [_WEIGHTS[name] for name, _ in possible]
        name, node = self._chance.choices(possible, weights)[0]
        self._tell(node, name)
        self._doers()[name](node)

    def _doers(self) -> dict[str, Callable[[Node], object]]:
        return {
            "start": Node.start,
            "write": self._write,
            "stop": self._stop,
            "kill": Node.kill,
            "pause": Node.pause,
            "resume": self._resume,
            "copy": self._copy_to,
            "snapshot": lambda node: self._snapshots.append(self._fleet.snapshot(node)),
            "restore": self._restore,
            "branch": lambda node: self._tell(node, f"branched: {node.branch()}"),
            "adopt": lambda node: self._tell(node, f"adopt: {node.adopt().returncode}"),
            "agent": lambda node: node.strike("agent"),
            "postgres": lambda node: node.strike("postgres"),
            "remove owner": self._remove_owner,
        }

    def _allows(self, name: str, node: Node) -> bool:
        awake, ended = node.runs and not node.is_paused, not node.runs
        conditions = {
            "start": ended,
            "branch": ended,
            "kill": node.runs,
            "resume": node.is_paused,
            "copy": ended and any(self._sources(node)),
            "snapshot": node.is_writable,
            "restore": ended and bool(self._snapshots),
            "adopt": True,
            "remove owner": True,
        }
        return conditions.get(name, awake)

    def _sources(self, node: Node) -> list[Node]:
        return [n for n in self._fleet.nodes if n is not node and n.is_writable]

    def _write(self, node: Node) -> None:
        for _ in range(self._chance.choice((1, 1, 3))):
            self._row += 1
            self._tell(node, f"row {self._row}: {node.write(self._row)}")

    def _stop(self, node: Node) -> None:
        self._tell(node, f"stopped: {node.walsup.stop()}")

    def _resume(self, node: Node) -> None:
        if node.paused_at_s is not None:
            time.sleep(max(0.0, node.paused_at_s + _PAUSE_S - time.monotonic()))
        node.resume(init_last=self._chance.random() < 0.5)  # noqa: PLR2004 (either)

    def _copy_to(self, node: Node) -> None:
        source = self._chance.choice(self._sources(node))
        self._tell(node, f"is a copy of {source.name} ({'paused' if source.runs else 'ended'})")
        node.replace(source.disk.path)
        self._forget(node)

    def _restore(self, node: Node) -> None:
        node.replace(self._chance.choice(self._snapshots))
        self._forget(node)

    def _forget(self, node: Node) -> None:
        if self._chance.random() < 0.3:  # noqa: PLR2004 (a copy by other means)
            self._tell(node, "remembers nothing")
            node.forget()

    def _remove_owner(self, node: Node) -> None:
        del node
        self._fleet.s3.delete(f"{self._fleet.prefix}/walsup/owner.json")

    def _bring_all_out(self) -> None:
        nodes = list(self._fleet.nodes)
        self._chance.shuffle(nodes)
        for node in nodes:
            if node.is_paused:
                self._tell(node, "resume")
                self._resume(node)
        for node in nodes:
            others = [n for n in nodes if n is not node]
            ways = bring_out(node, others, f"{self._fleet.prefix}-{node.name}", self._chance)
            self._tell(node, f"brought out: {ways}")
            self.ways += ways
        owner = holder(self._watch, nodes)
        if owner is not None:
            self._write(owner)
            wait_settled(owner)
        self.final = owner

    def _tell(self, node: Node, what: str) -> None:
        self.told.append(f"{time.monotonic() - self._began_s:5.1f} {node.name} {what}")
