"""Confirming that this database owns its archive, before the gate opens (S2, S4).

The first half: no lease yet. Whoever else holds the object keeps the gate shut.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from walsup.archive.bucket import Bucket
from walsup.archive.classify import is_absent, is_conflict
from walsup.archive.evidence import Evidence
from walsup.archive.fault import Fault
from walsup.archive.names import OWNER_KEY
from walsup.archive.owner import Owner
from walsup.postgres.control import ControlData
from walsup.postgres.wal import Segment

_MOST_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who wants to own: the data directory and this start of the container."""

    control: ControlData
    instance: str
    boot: str
    compression: str

    def first_owner(self, compression: str | None) -> Owner:
        """Give the object of a first claim: everything from the redo segment on is archived."""
        control = self.control
        segment = Segment.containing(control.redo_lsn, control.timeline, control.segment_size)
        return Owner(
            system_id=control.system_id,
            instance=self.instance,
            boot=self.boot,
            epoch=1,
            timeline=control.timeline,
            lsn=segment.start_lsn,
            state="running",
            compression=compression or self.compression,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The archive is ours: the object as it is in the bucket, and its tag."""

    owner: Owner
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """The archive is another database's."""

    fault: Fault


async def confirm(
    bucket: Bucket, claimant: Claimant, gather: Callable[[], Awaitable[Evidence]]
) -> Held | Foreign:
    """Read the owner object, create it or raise its epoch; read back after a lost condition.

    `gather`: reads whose archive it is from what the engine has written.

    Raises:
        what the bucket raises; ValueError for an owner object that cannot be read.
    """
    for _ in range(_MOST_ROUNDS):
        try:
            found = await bucket.get(OWNER_KEY)
        except FileNotFoundError as raised:
            if not is_absent(raised):
                raise
            evidence = await gather()
            if evidence.system_id not in (None, claimant.control.system_id):
                return Foreign(fault=_others(evidence, claimant))
            wanted = claimant.first_owner(evidence.compression)
            etag = await _try(bucket.create(OWNER_KEY, wanted.to_json()))
        else:
            owner = Owner.from_json(found.content)
            if (foreign := _judge(owner, claimant)) is not None:
                return Foreign(fault=foreign)
            if owner.boot == claimant.boot:
                return Held(owner=owner, etag=found.etag)
            wanted = owner.next_boot(claimant.boot)
            etag = await _try(bucket.replace(OWNER_KEY, wanted.to_json(), found.etag))
        if etag is not None:
            return Held(owner=wanted, etag=etag)
    raise ValueError(f"{OWNER_KEY} changes all the time: another instance is starting")


async def still_ours(bucket: Bucket, boot: str) -> Fault | None:
    """Read the owner object again; gives what has happened to it since it was confirmed.

    Raises:
        what the bucket raises, when it cannot be asked.
    """
    try:
        owner = Owner.from_json((await bucket.get(OWNER_KEY)).content)
    except FileNotFoundError as raised:
        if not is_absent(raised):
            raise
        return Fault(kind="owner removed", problem=f"{OWNER_KEY} was there, and has gone")
    if owner.boot == boot:
        return None
    return Fault(
        kind="not the owner",
        problem=f"another instance has taken the archive: {owner.instance}, epoch {owner.epoch},"
        f" of the cluster with system identifier {owner.system_id}",
    )


async def _try(write: Awaitable[str]) -> str | None:
    try:
        return await write
    except Exception as raised:
        if is_conflict(raised):
            return None
        raise


def _judge(owner: Owner, claimant: Claimant) -> Fault | None:
    if owner.system_id != claimant.control.system_id:
        return Fault(
            kind="not the owner",
            problem=f"the archive belongs to the cluster with system identifier {owner.system_id},"
            f" this one is {claimant.control.system_id}",
        )
    if owner.instance != claimant.instance:
        return Fault(
            kind="not the owner",
            problem=f"the archive belongs to another copy of this cluster, instance"
            f" {owner.instance} (state {owner.state}); this data directory is {claimant.instance}",
        )
    return None


def _others(evidence: Evidence, claimant: Claimant) -> Fault:
    return Fault(
        kind="not the owner",
        problem=f"{evidence.seen_in} in the archive is of the cluster with system identifier"
        f" {evidence.system_id}, this one is {claimant.control.system_id}",
    )
