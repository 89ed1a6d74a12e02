"""What prepare and the agent say to PID 1, and what it does about it."""

import signal

from walsup import log
from walsup.init.service import Service
from walsup.init.spawn import Launch
from walsup.init.stop_ladder import Ladder
from walsup.system import stop_grace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.init.supervisor import Init

_Message = dict[str, object]


def listen(init: "Init") -> None:
    """Take in what has been said since the last call; nonsense is the speaker's fault alone."""
    said = [(_hear_prepare, message) for message in init.preparation.messages()]
    said += [(_hear_agent, message) for message in init.agent.messages()]
    for hear, message in said:
        try:
            hear(init, message)
        except ValueError as fault:
            log.error("message.unreadable", problem=str(fault))


def _hear_prepare(init: "Init", message: _Message) -> None:
    init.awaits_verdict = bool(message.get("verdict", init.awaits_verdict))
    if message.get("launch") == "agent":
        after_s = float(str(message.get("after_s", 0)))
        generation = int(str(message.get("generation", 1)))
        init.agent.want(Launch.from_message(message), generation, after_s)
    elif message.get("launch") == "postgres":
        if init.stop_s is None:
            init.boot = str(message.get("boot", ""))
            if not init.awaits_verdict:
                _without_verdict(init)
            init.database.start(Launch.from_message(message), init.lock)
            init.phase, init.detail, init.waits = "running", "", ()
    elif "daemon" in message:
        _want_daemon(init, message)
    elif "refused" in message:
        init.preparation.refuse(message)
    else:
        init.detail = str(message.get("detail", ""))
        fault = message.get("fault")
        init.waits = tuple(map(str, fault)) if isinstance(fault, list) else ()


def _without_verdict(init: "Init") -> None:
    """Give postgres the time until it is killed from outside, where no verdict needs a part."""
    if not init.basics.grace_is_set:
        init.basics.stop_grace_s = max(init.basics.stop_grace_s, stop_grace.IN_KUBERNETES_S)
        init.ladder = Ladder(init.basics.stop_grace_s)


def _hear_agent(init: "Init", message: _Message) -> None:
    if "daemon" in message:
        _want_daemon(init, message)
    elif "lease" in message:
        # A reader of another archive holds none, and has no end.
        for service in init.daemons.values():
            if service.until_s != float("inf"):
                service.until_s = _until_s(message)
    elif "reload" in message:
        init.database.reload()
    elif "doom" in message:
        # Said before postgres ends by itself: why, and what that shall mean outside.
        init.refusal, init.doom = str(message["doom"]), int(str(message.get("code", 0)))
    elif "end" in message:
        # What must not go on; who runs the container starts it again, and it is prepared anew.
        init.refusal, init.ends = str(message["end"]), int(str(message.get("code", 0)))
        init.stop(signal.SIGINT)
    elif "verdict" in message:
        init.verdict = str(message["verdict"])


def _want_daemon(init: "Init", message: _Message) -> None:
    name = str(message["daemon"])
    service = init.daemons.setdefault(name, Service(name))
    generation = int(str(message.get("generation", 0)))
    service.want(Launch.from_message(message) if generation else None, generation)
    service.until_s = _until_s(message)


def _until_s(message: _Message) -> float:
    """Give until when a daemon may run, by CLOCK_BOOTTIME; for ever when nothing is said."""
    return float(str(message.get("lease", "inf")))
