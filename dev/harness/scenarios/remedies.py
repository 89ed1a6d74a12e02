"""Following the remedies that a status names, until the database is protected."""

import random
import time
from collections.abc import Sequence
from typing import Any

from dev.harness.checks.archive_watch import ArchiveWatch
from dev.harness.checks.witness import status, wait_no_lag, wait_protected
from dev.harness.processes.waiting import NotSeenError
from dev.harness.scenarios.fleet import Node

_WORDS_S = 1.5  # a refusal that stands for so long
_LEASE_WORDS_S = 30.0  # one that says to wait for a lease, on a loaded machine
_PROTECTED_S = 60.0
_ROUNDS = 8


class DeadEndError(AssertionError):
    """A state whose remedies have been followed, and which stands."""


def bring_out(node: Node, others: Sequence[Node], own: str, chance: random.Random) -> list[str]:
    """Follow what `node` says until it is protected; gives the ways that were taken.

    `others`: who may be stopped, when the remedy tells so; `own`: a prefix that nobody uses.

    Raises:
        DeadEndError: no way led out.
    """
    ways: list[str] = []
    for _ in range(_ROUNDS):
        if not node.runs:
            node.start()
        fault = _stands(node)
        if fault is None:
            return ways or ["wait"]
        choices = _choices(str(fault["remedy"]), others, ways)
        if not choices:
            raise DeadEndError(f"{node.name}: after {ways} nothing to do about {fault}")
        ways.append(_follow(node, others, own, choices, chance))
    raise DeadEndError(f"{node.name}: {ways} and still: {status(node.walsup).get('reasons')}")


def _follow(
    node: Node, others: Sequence[Node], own: str, choices: Sequence[str], chance: random.Random
) -> str:
    way = chance.choice(choices)
    match way:
        case "adopt":
            told = node.adopt()
            # It may have become ours again by itself since the fault was shown.
            if told.returncode != 0 and "to this data directory already" not in told.stderr:
                raise DeadEndError(f"{node.name}: told to adopt, but: {told.stderr}")
        case "restart":
            node.walsup.stop()
            node.start()
        case "stop the other":
            for rival in _rivals(others):
                rival.walsup.stop()
        case _:
            node.move(own)
    return way


def _choices(remedy: str, others: Sequence[Node], before: Sequence[str]) -> list[str]:
    """What the remedy's words tell to do."""
    found = []
    if "walsup adopt" in remedy and before.count("adopt") < 2:  # noqa: PLR2004 (an owner may change)
        found.append("adopt")
    if "restart the container" in remedy:
        found.append("restart")
    if "stop one of the two" in remedy and _rivals(others):
        found.append("stop the other")
    if "prefix" in remedy:
        found.append("prefix")
    return found


def _rivals(others: Sequence[Node]) -> list[Node]:
    return [other for other in others if other.runs and not other.moved]


def _stands(node: Node) -> dict[str, Any] | None:
    """The gate's fault that stands; None: the database is protected."""
    since_s, before, restarted = time.monotonic(), "", False
    deadline_s = since_s + _PROTECTED_S
    while time.monotonic() < deadline_s:
        seen = status(node.walsup)
        if seen.get("protected"):
            return None
        fault: dict[str, Any] | None = seen.get("faults", {}).get("gate")
        words = f"{fault['kind']}: {fault['remedy']}" if fault else ""
        if words != before:
            since_s, before = time.monotonic(), words
        waits = fault is not None and any(
            word in fault["problem"] for word in ("expires after", "looking again")
        )
        if fault and time.monotonic() - since_s > (_LEASE_WORDS_S if waits else _WORDS_S):
            return fault
        if not node.runs:
            if restarted:
                raise DeadEndError(f"{node.name} ended twice\n{node.walsup.tail()}")
            # A schedule may have killed its postgres just before: a container is started again.
            node.start()
            restarted = True
        time.sleep(0.1)
    raise DeadEndError(f"{node.name} is not protected: {seen.get('reasons')} {seen.get('faults')}")


def holder(watch: ArchiveWatch, nodes: Sequence[Node]) -> Node | None:
    """The running node that owns the archive now."""
    if not watch.owners:
        return None
    name, disk = watch.boots.get(watch.owners[-1][1], ("", None))
    found = (n for n in nodes if n.name == name and n.disk is disk and n.runs and not n.moved)
    return next(found, None)


def wait_settled(node: Node) -> None:
    """Wait until it is protected, and nothing of it is missing in the bucket."""
    try:
        wait_protected(node.walsup)
        wait_no_lag(node.walsup)
    except NotSeenError as late:
        raise DeadEndError(f"{node.name}: {status(node.walsup).get('faults')}\n{late}") from late
