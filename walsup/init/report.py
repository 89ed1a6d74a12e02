"""What PID 1 says about itself: the state file's fields, the exit code, the last word."""

from walsup import log
from walsup.errors import DiskFullError
from walsup.init import stop_ladder
from walsup.init.state_file import write_termination

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.init.supervisor import Init

# What prepare waits for: its class, the problem, the remedy.
WAITS = ("waits_kind", "waits_problem", "waits_remedy")
NOT_PROVEN = "everything before the shutdown checkpoint is in the bucket: not proven"


def fields(init: "Init") -> "dict[str, object]":
    """Give what the state file says."""
    found: dict[str, object] = {
        "phase": init.phase,
        "detail": init.detail,
        "postgres_pid": init.database.pid or "",
        "postgres_exit_code": init.database.code if init.database.done else "",
        "postgres_clean": int(init.database.clean),
        "reloads": init.reloads,
        "agent_pid": init.agent.pid or "",
        "agent_restarts": init.agent.restarts,
    }
    found |= init.log.fields()
    found |= {"log_pid": init.log.pid or "", "log_restarts": init.log.restarts}
    if init.phase == "preparing":
        found |= zip(WAITS, init.waits, strict=False)
    for name, service in init.daemons.items():
        found[f"{name}_pid"] = service.pid or ""
        found[f"{name}_generation"] = service.running_generation
        found[f"{name}_restarts"] = service.restarts
    if init.stop_s is not None or init.database.done:
        ends_s = init.sweep_until_s or (init.stop_s or 0) + init.ladder.verdict_s
        found["stop_deadline_monotonic_s"] = f"{ends_s:.3f}"
    return found


def exit_code(init: "Init") -> int:
    """Give the container's exit code, once postgres has ended or is given up."""
    if init.full:
        return DiskFullError.exit_code
    if init.ends:
        return init.ends
    if init.stop_s is None:
        return (init.doom or init.database.code) if init.database.code else 0
    return stop_ladder.exit_code(init.database.code, init.database.sent, clean=init.database.clean)


def say(init: "Init") -> None:
    """Write the last state, the termination message and the last line of the log."""
    if init.database.started and init.awaits_verdict and not init.verdict:
        init.verdict = NOT_PROVEN
    asked = init.stop_s is not None
    unasked = f"postgres ended by itself with exit code {init.database.code}" if not asked else ""
    # Said beforehand, for an end that has not come: postgres has ended well, as it was told to.
    spared = init.doom and init.database.done and not init.database.code
    words = ("" if spared else init.refusal, unasked if init.database.started else "", init.verdict)
    init.phase = "ended"
    init.detail = "\n".join(filter(None, words))
    init.statefile.write(fields(init) | {"exit_code": init.code})
    if init.detail:
        write_termination(init.basics.termination_log, init.detail + "\n")
    log.info("container.ended", exit_code=init.code, verdict=init.verdict)
