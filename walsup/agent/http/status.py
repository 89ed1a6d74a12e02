"""The status as JSON and as text: one snapshot, nothing else."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from walsup import __version__, units
from walsup.agent import freshness
from walsup.agent.http import health
from walsup.agent.snapshot import Snapshot, Standing
from walsup.agent.subject import Subject
from walsup.archive.faults import help_of
from walsup.postgres.wal import show_lsn


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return `/status`."""
    ready = health.ready(snapshot)
    reasons = health.unprotected(snapshot)
    return {
        "version": __version__,
        "protected": not reasons,
        "reasons": reasons,
        "ready": ready.ok,
        "archive": snapshot.archive,
        "pgdata": snapshot.pgdata,
        "place": snapshot.place,
        "boot": snapshot.boot,
        "archive_shared_with": snapshot.shared_with,
        "system_id": str(snapshot.system_id) if snapshot.system_id else None,
        "init": _section(snapshot, "init"),
        "database": _section(snapshot, "database")
        | {"current_lsn": show_lsn(snapshot.database.current_lsn)},
        "connection": _section(snapshot, "connection") | {"answered_at": _at(snapshot, "answer")},
        "gate": _section(snapshot, "gate") | {"origin_lsn": show_lsn(snapshot.gate.origin_lsn)},
        "lag": _section(snapshot, "lag")
        | {
            "proven_lsn": show_lsn(snapshot.lag.proven_lsn),
            "current_lsn": show_lsn(snapshot.lag.current_lsn),
            "at": _at(snapshot, "bucket"),
        },
        "waiting": _section(snapshot, "waiting"),
        "disk": _section(snapshot, "disk"),
        "backup": _section(snapshot, "backup"),
        "left_out": _left_out(snapshot),
        "restore": _section(snapshot, "restore") | {"lsn": show_lsn(snapshot.restore.lsn)},
        "role": snapshot.wanted_role,
        "standby": _section(snapshot, "standby")
        | {
            "replay_lsn": show_lsn(snapshot.standby.replay_lsn),
            "archived_lsn": show_lsn(snapshot.standby.archived_lsn),
            "primary_lsn": show_lsn(snapshot.standby.primary_lsn),
            "behind_bytes": snapshot.standby.behind_bytes,
            "at": _at(snapshot, "replay"),
        },
        "previous": asdict(snapshot.previous),
        "holes": [asdict(hole) | {"end_lsn": show_lsn(hole.end_lsn)} for hole in snapshot.holes],
        "audit": _audit(snapshot),
        "faults": _standing(snapshot.faults),
        "attention": _standing(snapshot.attention),
        "at": snapshot.at - freshness.oldest_s(snapshot),
        "now": snapshot.at,
    }


def _standing(shown: Mapping[Subject, Standing]) -> dict[str, dict[str, Any]]:
    """Return faults or points of attention by their subject."""
    return {
        subject: {
            "kind": standing.fault.kind,
            "problem": standing.fault.problem,
            "remedy": standing.fault.cure,
            "help": help_of(standing.fault.kind),
            "since": standing.since,
        }
        for subject, standing in shown.items()
    }


def _left_out(snapshot: Snapshot) -> list[dict[str, Any]] | None:
    if snapshot.left_out is None:
        return None
    return [one._asdict() for one in snapshot.left_out]


def _section(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """Return a part of the snapshot, with the time of its observation."""
    return asdict(getattr(snapshot, name)) | {"at": _at(snapshot, name)}


def _at(snapshot: Snapshot, observation: str) -> float | None:
    """Return when it was observed (Unix seconds), None: not in this run of the agent."""
    age = freshness.age_s(snapshot, observation)
    return None if age == math.inf else snapshot.at - age


def _audit(snapshot: Snapshot) -> dict[str, Any]:
    audit = snapshot.audit
    return asdict(audit) | {
        "age_s": round(snapshot.at - audit.finished_at, 1) if audit.finished_at else None,
        "from_lsn": show_lsn(audit.from_lsn),
        "until_lsn": show_lsn(audit.until_lsn),
        "backups_from": show_lsn(audit.backups_from),
    }


def as_text(status: Mapping[str, Any]) -> str:
    """Return what `walsup status` prints, from `/status`."""
    lag, backup, database = status["lag"], status["backup"], status["database"]
    gate = status["gate"]
    engine = (
        f" ({gate['engine']}{'' if gate['daemon'] else ', no daemon'})" if gate["engine"] else ""
    )
    shared = status.get("archive_shared_with")
    beside = f", ON THE SAME DEVICE as {shared}" if shared else ""
    accepts = "accepts connections" if database["accepting"] else "does not accept connections"
    archiving = "archiving " + (
        "enabled" if gate["state"] == "open" else f"disabled ({gate['state']})"
    )
    lines = [
        f"protected  {'yes' if status['protected'] else 'NO'}",
        f"archive    {status['archive'] or 'none'}{beside}, {archiving}{engine}",
        f"postgres   {status['init']['phase']}, {accepts} as {database['role']}",
        f"backup     {backup['state']} {backup['name']} {backup['finished_at']}".rstrip()
        + (f" (verified {backup['verified']})" if backup["state"] == "listed" else ""),
    ]
    if lag["known"]:
        idle = " (idle: everything is in the bucket)" if lag["idle"] else ""
        lines.append(
            f"lag        {lag['segments']} segments, {units.show_bytes(lag['bytes'] or 0)},"
            f" {units.show_duration(round(lag['seconds'], 1))}{idle}"
        )
        lines.append(
            f"verified   up to {lag['proven_lsn']}, postgres is at {database['current_lsn']}"
        )
    lines += [
        f"gap        {hole['first']} to {hole['last']}: no restore passes it (new base backup:"
        f" {hole['covered_by'] or 'not yet'})"
        for hole in status.get("holes", ())
    ]
    if words := audit_words(status.get("audit") or {}):
        lines.append(f"audit      {words}")
    if words := standby_words(status["standby"]):
        lines.append(f"standby    {words}")
    if words := restore_words(status["restore"]):
        lines.append(f"restore    {words}")
    if words := previous_words(status.get("previous") or {}):
        lines.append(f"last run   {words}")
    if "now" in status:
        age = units.show_duration(round(status["now"] - status["at"]))
        lines.append(f"age        the oldest of these observations is {age} old")
    if status["init"]["detail"]:
        lines.append(f"doing      {status['init']['detail']}")
    lines += _reasons(status)
    for one in (status.get("attention") or {}).values():
        lines += [f"attention  {one['problem']}; {one['remedy']}", *_see(one)]
    return "\n".join(lines)


def _reasons(status: Mapping[str, Any]) -> Iterator[str]:
    """Return the lines of the reasons, each with the headings that explain its fault."""
    faults = (status.get("faults") or {}).values()
    for reason in status["reasons"]:
        yield f"!          {reason}"
        ending = [line for one in faults if reason.endswith(one["remedy"]) for line in _see(one)]
        yield from dict.fromkeys(ending)


def _see(fault: Mapping[str, Any]) -> list[str]:
    """Return the line with a fault's heading; an agent of an earlier version has none."""
    return [f"           see {fault['help']}"] if "help" in fault else []


def audit_words(seen: Mapping[str, Any]) -> str:
    """Return in a line what the last audit has looked at, "" when there was none."""
    if not seen or seen["state"] == "none":
        return ""
    if seen["age_s"] is None:
        return "the archive is being listed for the first time"
    age = units.show_duration(round(seen["age_s"]))
    words = f"{seen['state']}, all of it listed {age} ago"
    if seen["state"] == "waiting":
        return f"waiting for this run's first round; the last one ended {age} ago"
    if seen["from_backup"]:
        words += f"; {seen['from_lsn']} ({seen['from_backup']}) to {seen['until_lsn']}"
    return words + f", {seen['objects']} objects"


def previous_words(seen: Mapping[str, Any]) -> str:
    """Return how the run before this one ended, "" when that is not known."""
    match seen.get("how"):
        case "stopped":
            at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seen["at"]))
            return f"stopped at {at}: {seen['verdict']}"
        case "crashed":
            return "ended without a verdict (it was killed, or its node was lost)"
        case _:
            return ""


def standby_words(seen: Mapping[str, Any]) -> str:
    """Return in a line how far a standby is, "" when this is none."""
    if seen["phase"] != "following":
        return ""
    ways = {"streaming": "streams from its primary", "archive": "follows the archive"}
    words = f"{ways.get(seen['source'], 'gets no WAL')}, replayed up to {seen['replay_lsn']}"
    if seen.get("still_s"):
        words += f" (last moved {units.show_duration(round(seen['still_s']))} ago)"
    if seen.get("apply_delay_s"):
        delay = units.show_duration(round(seen["apply_delay_s"]))
        words += f", each commit {delay} later (recovery_min_apply_delay)"
    if seen["archived_lsn"] == show_lsn(0):
        return f"{words}; the end of the archive is not known"
    behind = units.show_bytes(seen["behind_bytes"])
    return f"{words}, {behind} behind the archive ({seen['archived_lsn']})"


def restore_words(seen: Mapping[str, Any]) -> str:
    """Return in a line how far a restore is, "" when there is none under way."""
    left = seen["left_s"]
    rest = "" if left is None else f", about {units.show_duration(round(left))} left"
    match seen["phase"]:
        case "fetching":
            done, total = units.show_bytes(seen["bytes"]), units.show_bytes(seen["total_bytes"])
            return f"fetching {seen['backup']}: {done} of {total} ({seen['percent']}%){rest}"
        case "recovering":
            return (
                f"recovering from {seen['source']} to {seen['target']}: segment"
                f" {seen['segment'] or 'none yet'}, {seen['segments']} of"
                f" {seen['total_segments']} ({seen['percent']}%){rest}"
            )
        case _:
            return ""
