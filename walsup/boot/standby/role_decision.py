"""The role of this instance when it is not simply `primary`: decided by the archive's owner.

Rule role-from-the-archive.

A directory of a former primary is not started as a primary before the archive confirms it. While
the archive does not answer, it is read-only. When another instance has taken over, it is rebuilt.
"""

import asyncio
import os
import time

from walsup import log
from walsup.archive.faults import Fault
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.ownership import role_query, takeover
from walsup.archive.ownership.admission import Rejected
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.ownership.lease import Lease
from walsup.archive.ownership.role import (
    HeldByAnother,
    Neither,
    Rank,
    StayPrimary,
    StepDown,
    ThisInstance,
)
from walsup.archive.storage.bucket import open_bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.boot.handover import Handover
from walsup.boot.plan import Cluster, Empty, Found
from walsup.boot.restore.archive_source import reader
from walsup.boot.restore.fetch_progress import Patience
from walsup.boot.standby import build, demote, diverged_wal
from walsup.datadir import markers, restore_state
from walsup.errors import DataDirectoryError, SettingsError
from walsup.pid1_messages import Progress
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.pg_control import DBState
from walsup.settings import Settings

_SURE_AFTER_S = 15.0
_AGAIN_S = 1.0
_CUT_OFF = (DBState.SHUT_DOWN_IN_RECOVERY, DBState.IN_ARCHIVE_RECOVERY)


def settle(known: Settings, found: Found, hand: Handover) -> Found:
    """Return the state of the directory; HTTP answers while the archive is asked.

    Raises:
        DataDirectoryError, SettingsError: a person has to decide.
    """
    if demote.is_due(known.pgdata):
        demote.empty(known.pgdata)
        return Empty()
    if not isinstance(found, Cluster) or restore_state.is_under_way(known.pgdata):
        return found
    unsure = markers.is_unsure(known.pgdata)
    if found.standby and not unsure:
        return found
    if not unsure and found.control.state in _CUT_OFF:
        # Its promotion was cut off before the new timeline began: it would continue on the old one.
        return _as_standby(known, found)
    if known.archive is None:
        raise DataDirectoryError(
            f"WALSUP_ROLE is {known.role}, but this data directory was a primary's, and there"
            " is no archive that says whether it still is",
            hint="if it is, set WALSUP_ROLE=primary; if another instance is the primary"
            " now, give this one an empty data directory",
        )
    hand.write_agent_file()
    hand.launch_agent()
    own = role_query.own(known.pgdata, str(known.archive))
    return _by_rank(hand.current.known, found, own, _ask(known, own, hand), hand)


def _by_rank(
    known: Settings, found: Cluster, own: ThisInstance, rank: Rank | None, hand: Handover
) -> Found:
    match rank:
        case None:
            return _read_only(known, found, "the archive does not answer")
        case StayPrimary(why=why):
            if kept := _claim(known, hand):
                return _read_only(known, found, kept)
            log.info("role.primary", why=why)
            return _as_primary(known, found)
        case HeldByAnother(problem=problem):
            return _read_only(known, found, problem)
        case Neither(problem=problem, hint=hint):
            raise DataDirectoryError(problem, hint=hint)
        case StepDown():
            _rebuild(known, own, rank, hand)
            return Empty()


def follows(known: Settings, archived: str | None) -> bool:
    """Return whether an empty directory becomes a standby's.

    The pod's number decides only when nothing is archived either.

    Raises:
        SettingsError: the pod has no number.
    """
    if known.role != "auto":
        return known.role == "standby"
    hostname = os.environ.get("HOSTNAME", "")
    number = standby_signal.ordinal(hostname)
    if number is None:
        raise SettingsError(
            f"WALSUP_ROLE=auto, but HOSTNAME ({hostname or 'not set'}) does not end in a number",
            hint="use auto for the pods of a StatefulSet; elsewhere set primary or standby",
        )
    return archived is not None or number != 0


def _read_only(known: Settings, found: Cluster, why: str) -> Found:
    log.warning(
        "role.unsure",
        effect="read-only until the archive says which instance is the primary",
        why=why,
    )
    markers.remember_unsure(known.pgdata)
    return _as_standby(known, found)


def _as_standby(known: Settings, found: Cluster) -> Found:
    (known.pgdata / standby_signal.SIGNAL).touch(mode=0o600)
    return found._replace(standby=True)


def _as_primary(known: Settings, found: Cluster) -> Found:
    """Turn a read-only directory into a primary's again, on its own timeline."""
    (known.pgdata / standby_signal.SIGNAL).unlink(missing_ok=True)
    markers.forget_unsure(known.pgdata)
    return found._replace(standby=False)


def _ask(known: Settings, own: ThisInstance, hand: Handover) -> Rank | None:
    """Ask the archive; return None when it does not answer for so long.

    The objects of a new owner do not appear all at once, so a refusal is repeated for a while.
    """
    source = reader(hand.current, hand.run_dir, -1, own=True)
    deadline_s = time.monotonic() + max(_SURE_AFTER_S, 2 * known.lease_s)
    silent_s = time.monotonic() + _SURE_AFTER_S
    hand.send(Progress("asking the archive whether this is still the primary"))
    while True:
        try:
            rank = asyncio.run(role_query.ask(source, own))
        except Exception as raised:  # noqa: BLE001 (any failure is no answer)
            fault = classify(raised)
            _tell(fault, hand)
            if time.monotonic() > silent_s:
                return None
        else:
            if not isinstance(rank, Neither | HeldByAnother) or time.monotonic() > deadline_s:
                return rank
        time.sleep(_AGAIN_S)
        hand.current.look()


def _claim(known: Settings, hand: Handover) -> str:
    """Claim the archive for this start, before it takes writes; return what prevents the claim.

    The start waits for a holder that may still live, as long as its lease can last.
    """
    watch = OwnerWatch()
    silent_s = time.monotonic() + _SURE_AFTER_S
    deadline_s = time.monotonic() + _SURE_AFTER_S + RIVAL_LEASES * known.lease_s
    hand.send(Progress("claiming the archive for this start"))
    while True:
        try:
            known = hand.current.known
            bucket, who = open_bucket(known), takeover.claimant(known, hand.boot)
            asked = takeover.before_start(bucket, who, watch, unsafe=known.unsafe_owner)
            claimed = asyncio.run(asked)
        except Exception as raised:  # noqa: BLE001 (any failure is no answer)
            fault = classify(raised)
            if time.monotonic() > silent_s:
                return f"the archive cannot be claimed ({fault.kind}): {fault.problem}"
        else:
            if claimed is None:
                return ""
            if isinstance(claimed, Lease):
                markers.remember_epoch(known.pgdata, str(known.archive), claimed.owner.epoch)
                if known.fence == "on":
                    hand.deadline_s = claimed.until_s
                return ""
            fault, silent_s = claimed.fault, time.monotonic() + _SURE_AFTER_S
            late = time.monotonic() > deadline_s
            if isinstance(claimed, Rejected) or claimed.living is not None or late:
                return fault.problem
        _tell(fault, hand)
        time.sleep(_AGAIN_S)
        hand.current.look()


def _tell(fault: Fault, hand: Handover) -> None:
    text = f"it is not known whether this is still the primary ({fault.kind}): {fault.problem}"
    hand.send(Progress(text, (fault.kind, fault.problem, fault.cure)))


def _rebuild(known: Settings, own: ThisInstance, found: StepDown, hand: Handover) -> None:
    log.warning("role.lost", timeline=found.timeline, left_at=found.fork_lsn)
    # Nothing is removed before there is something to build it from.
    patience = Patience(hand.send, hand.current)
    build.prove(hand.current, hand.run_dir, patience)
    size = pg_control.read(known.pgdata).segment_size
    if diverged_wal.segments(known.pgdata, own, found, size):

        def encryption() -> str:
            return asyncio.run(diverged_wal.encryption(open_bucket(hand.current.known)))

        diverged_wal.check(known, patience.until_done(encryption))
        hand.send(Progress("uploading WAL that only this instance has"))

        def bring() -> None:
            bucket = open_bucket(hand.current.known)
            asyncio.run(diverged_wal.bring(bucket, known.pgdata, own, found, size))

        patience.until_done(bring)
    demote.empty(known.pgdata)
