"""The rules that the model can do without, one at a time: each has to be missed."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.unit.ownership.net import Link, Store
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.paths import OWNER_KEY

LEASE_S = 6.0
TICK_S = LEASE_S / 12


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All hold in walsup; a planted fault turns one off."""

    claim_before_promotion: bool = True
    claim_before_start: bool = True
    evidence_ends: bool = True
    conditions: bool = True
    fresh_nonce: bool = True
    read_back_grants_nothing: bool = True
    four_leases: bool = True
    counted_from_receipt: bool = True
    no_wal_comes: bool = True
    object_before_wal: bool = True
    only_heirs: bool = True
    all_heirs: bool = True
    pid1_ends: bool = True
    echo: bool = True
    claim_is_held: bool = True
    stopped_is_final: bool = True
    epoch: bool = True
    free_timeline: bool = True
    armed_at_once: bool = True
    lease_ends: bool = True
    right_side: bool = True
    timelines_count: bool = True
    bytes_count: bool = True


class Impatient(OwnerWatch):
    """Takes a holder for dead after half the time."""

    def unchanged_s(self, content: bytes, seen_s: float) -> float:
        """Count double."""
        return 2 * super().unchanged_s(content, seen_s)


class WrongSide(OwnerWatch):
    """Takes a holder for dead that has just renewed, and for alive when it is silent."""

    def unchanged_s(self, content: bytes, seen_s: float) -> float:
        """Count down from twice the time."""
        return 2 * RIVAL_LEASES * LEASE_S - super().unchanged_s(content, seen_s)


class FromRequest(OwnerWatch):
    """Counts from when a version was asked for, which may be long before it was there."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._asked_s = 0.0

    def unchanged_s(self, content: bytes, seen_s: float) -> float:
        """Let the clock stand at the request."""
        if content != self._content:
            self._asked_s = seen_s
        super().unchanged_s(content, seen_s)
        return self.clock() - self._asked_s


class Naive(Link):
    """A way to the bucket on which rules about single writes are out."""

    def __init__(self, store: Store, member: int, clock: Callable[[], float], rules: Rules) -> None:
        super().__init__(store, member, clock, LEASE_S / 3)
        self._rules = rules

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write with equal bytes, or take a read-back for an answer, where that is planted."""
        if key == OWNER_KEY and not self._rules.fresh_nonce:
            content = json.dumps(json.loads(content) | {"nonce": "same", "epoch": 1}).encode()
        try:
            return await super().replace(key, content, etag)
        except TimeoutError:
            if self._rules.read_back_grants_nothing:
                raise
            found = await self.get(key)
            if found.content != content:
                raise
            return found.etag


def rivals(rules: Rules, clock: Callable[[], float]) -> OwnerWatch:
    """Return what watches another holder."""
    if not rules.four_leases:
        return Impatient(clock)
    if not rules.right_side:
        return WrongSide(clock)
    return OwnerWatch(clock) if rules.counted_from_receipt else FromRequest(clock)


def owner_in(store: Store) -> Owner | None:
    """Return the owner object as it is."""
    content = store.objects.get(OWNER_KEY)
    return Owner.from_json(content) if content else None
