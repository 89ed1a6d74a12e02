"""The state that an audit keeps between rounds and runs, in the data directory and the archive.

The record in the archive (`walsup/audit.json`) is written only under the lease, conditionally. It
holds the ledger of gaps, and survives the loss of the data directory.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from walsup import log
from walsup.agent.snapshot import Hole
from walsup.archive.catalog.scope import Counted, Round, Scope, Stamp, counted_to_json, stamps
from walsup.archive.listing_check.digests import Digests
from walsup.archive.listing_check.findings import RoundFindings
from walsup.archive.paths import AUDIT_KEY
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify, is_absent, is_conflict
from walsup.postgres.wal import Segment
from walsup.system.durable_files import write_durable

_FILE = ".walsup-audit"
_MOST_IN_ARCHIVE = 256
SAVE_EVERY_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known from the rounds so far.

    `archive`: the archive that it describes; another's says nothing. `known`: objects as verified,
    as far as their time alone does not show it; `accepted`: objects that were read and are right.
    `epoch`, `boot`: of the owner object under which it was written.
    `backups_from`: as in `Audit`. `accept_branches`: other timelines in the archive are expected:
    the operator has adopted it, or it had no owner before.
    `reread`, `blocks`: as Scope has them.
    """

    archive: str
    system_id: int
    last: Round | None = None
    reread: Round | None = None
    blocks: tuple[int, str] = (0, "")
    window: int = -1
    day: int = 0
    pages: int = 0
    known: dict[str, Stamp] = field(default_factory=dict)
    accepted: dict[str, Stamp] = field(default_factory=dict)
    damaged: dict[str, Stamp] = field(default_factory=dict)
    backups: dict[str, Counted] = field(default_factory=dict)
    gaps: tuple[Hole, ...] = ()
    branches_until: float = 0.0
    accept_branches: bool = False
    finished_at: float = 0.0
    epoch: int = 0
    boot: str = ""
    backups_from: int = 0

    def is_after(self, epoch: int, boot: str) -> bool:
        """Whether an owner object of this epoch is older than what this state has seen."""
        return epoch < self.epoch or (epoch == self.epoch and boot != self.boot)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in State.__slots__}
        return fields | {
            "system_id": str(self.system_id),
            "backups": [counted_to_json(one) for one in self.backups.values()],
            "gaps": [[g.first, g.last, g.end_lsn, g.covered_by] for g in self.gaps],
        }

    @classmethod
    def from_json(cls, content: bytes | str) -> Self:
        """Read a state from JSON; unknown fields are ignored, absent ones are not known.

        Raises:
            TypeError, ValueError, KeyError, AttributeError: it is not a state.
        """
        fields = {k: v for k, v in json.loads(content).items() if k in State.__slots__}
        last, reread, blocks = (fields.get(name) for name in ("last", "reread", "blocks"))
        return cls(
            **fields
            | {
                "system_id": int(fields["system_id"]),
                "last": Round(float(last[0]), int(last[1])) if last else None,
                "reread": Round(float(reread[0]), int(reread[1])) if reread else None,
                "blocks": (int(blocks[0]), str(blocks[1])) if blocks else (0, ""),
                "known": stamps(fields.get("known") or {}),
                "accepted": stamps(fields.get("accepted") or {}),
                "damaged": stamps(fields.get("damaged") or {}),
                "backups": {one["name"]: Counted(**one) for one in fields.get("backups") or ()},
                "gaps": tuple(
                    Hole(first=str(a), last=str(b), end_lsn=int(end), covered_by=str(by))
                    for a, b, end, by in fields.get("gaps") or ()
                ),
            }
        )


def compared(state: State, scope: Scope, findings: RoundFindings, until: int) -> State:
    """Return the state after a full round that has compared something.

    `until`: number of the first object that is still to be read, -1: none is. That one and later
    ones are compared with the previous round again.
    """
    if findings.round is None:
        return state
    if until < 0:
        return replace(
            state, last=findings.round, reread=None, known=findings.known, blocks=findings.blocks
        )

    def is_done(name: str) -> bool:
        return Segment.parse(name, scope.size).number < until

    known = {name: stamp for name, stamp in findings.known.items() if is_done(name)}
    known |= {name: stamp for name, stamp in state.known.items() if not is_done(name)}
    return replace(
        state,
        reread=findings.round._replace(head=until - 1),
        known=known,
        blocks=Digests(*findings.blocks).upto(until - 1, Digests(*state.blocks)),
    )


def read(pgdata: Path, archive: str, system_id: int) -> State | None:
    """Return the state that this data directory has of this archive."""
    try:
        stored = State.from_json((pgdata / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError, KeyError, AttributeError) as unreadable:
        log.warning("audit.forgotten", problem=f"{type(unreadable).__name__}: {unreadable}")
        return None
    return stored if (stored.archive, stored.system_id) == (archive, system_id) else None


def newest(*states: State | None) -> State | None:
    """Return the state with the latest round, plus the gaps and known branches of the others."""
    known = [state for state in states if state is not None]
    if not known:
        return None
    latest = max(known, key=lambda state: state.finished_at)
    gaps = {gap.first: gap for state in known for gap in state.gaps}
    return replace(
        latest,
        gaps=tuple(gaps.values()),
        branches_until=max(state.branches_until for state in known),
    )


def write(pgdata: Path, state: State) -> None:
    """Write the state to the data directory.

    Raises:
        OSError: the file cannot be written.
    """
    write_durable(pgdata / _FILE, json.dumps(state.to_json()) + "\n")


class LocalRecord:
    """Remembers what was written to the data directory: an unchanged state is not written."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._at_s = 0.0

    def is_due(self, state: State, now_s: float) -> bool:
        """Return whether to write a state: more than its time has changed, or the file is old."""
        before = self._state
        return (
            before is None
            or now_s - self._at_s >= SAVE_EVERY_S
            or replace(state, finished_at=0.0) != replace(before, finished_at=0.0)
        )

    def note(self, state: State, now_s: float) -> None:
        """Record that the state was written."""
        self._state, self._at_s = state, now_s


class AuditRecord:
    """The record of the state in the archive."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._etag: str | None = None
        self._content = b""

    def use(self, bucket: Bucket) -> None:
        """Use the same archive with other credentials from now on."""
        self._bucket = bucket

    async def read(self, archive: str, system_id: int) -> State | None:
        """Return the state that the archive has.

        Raises:
            what the bucket raises.
        """
        try:
            stored = await self._bucket.get(AUDIT_KEY)
        except FileNotFoundError as raised:
            if not is_absent(raised):
                raise
            self._etag = None
            return None
        self._etag, self._content = stored.etag, stored.content
        try:
            state = State.from_json(stored.content)
        except (TypeError, ValueError, KeyError, AttributeError) as unreadable:
            log.warning("audit.unreadable", key=AUDIT_KEY, problem=str(unreadable))
            return None
        # In a copied archive it describes the objects of the original.
        return state if (state.archive, state.system_id) == (archive, system_id) else None

    async def write(self, state: State) -> bool:
        """Write the state unless it was changed since it was read; False: read it again first."""
        newest = dict(sorted(state.known.items())[-_MOST_IN_ARCHIVE:])
        content = json.dumps(replace(state, known=newest).to_json()).encode() + b"\n"
        if content == self._content:
            return True
        try:
            if self._etag is None:
                self._etag = await self._bucket.create(AUDIT_KEY, content)
            else:
                self._etag = await self._bucket.replace(AUDIT_KEY, content, self._etag)
        except Exception as raised:  # noqa: BLE001 (written again with a later round)
            if is_conflict(raised) or is_absent(raised):
                return False
            log.warning("audit.not_written", key=AUDIT_KEY, problem=classify(raised).problem)
            return True
        self._content = content
        return True
