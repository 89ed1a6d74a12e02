"""What PID 1 does about the messages of prepare and of the agent."""

import signal

from walsup.init.service import Service
from walsup.init.stop_ladder import Ladder
from walsup.pid1_messages import (
    Beat,
    ExplainExit,
    ExtendLease,
    Progress,
    Refusal,
    Reload,
    RequestStop,
    SetDaemon,
    StartAgent,
    StartPostgres,
    Verdict,
)
from walsup.system import stop_grace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import assert_never

    from walsup.init.supervisor import Init
    from walsup.pid1_messages import FromAgent, FromPrepare


def listen(init: "Init") -> None:
    """Act on what has been said since the last call."""
    for said in init.preparation.messages():
        _hear_prepare(init, said)
    for message in init.agent.messages():
        _hear_agent(init, message)


def _hear_prepare(init: "Init", message: "FromPrepare") -> None:
    match message:
        case StartAgent():
            init.awaits_verdict = init.awaits_verdict or message.awaits_verdict
            init.agent.want(message.launch, message.generation, message.after_s)
        case StartPostgres():
            init.awaits_verdict = init.awaits_verdict or message.awaits_verdict
            _start_postgres(init, message)
        case SetDaemon():
            _set_daemon(init, message)
        case Refusal():
            init.preparation.refuse(message)
        case Progress():
            init.detail, init.waits = message.detail, message.fault
        case _:
            if TYPE_CHECKING:
                assert_never(message)


def _start_postgres(init: "Init", message: StartPostgres) -> None:
    if init.stop_s is not None:
        return
    init.boot = message.boot
    if not init.awaits_verdict:
        _without_verdict(init)
    init.database.start(message.launch, init.lock)
    init.phase, init.detail, init.waits = "running", "", ()


def _without_verdict(init: "Init") -> None:
    """Give postgres the time until it is killed from outside, where no verdict needs a part."""
    if not init.basics.grace_is_set:
        init.basics.stop_grace_s = max(init.basics.stop_grace_s, stop_grace.IN_KUBERNETES_S)
        init.ladder = Ladder(init.basics.stop_grace_s)


def _hear_agent(init: "Init", message: "FromAgent") -> None:
    match message:
        case Beat():
            pass  # that it speaks is all that it says
        case SetDaemon():
            _set_daemon(init, message)
        case ExtendLease():
            _extend_lease(init, message.until_s)
        case Reload():
            init.database.reload()
        case ExplainExit():
            init.refusal, init.doom = message.text, message.exit_code
        case RequestStop():
            init.refusal, init.ends = message.text, message.exit_code
            init.stop(signal.SIGINT)
        case Verdict():
            init.verdict = message.text
        case _:
            if TYPE_CHECKING:
                assert_never(message)


def _set_daemon(init: "Init", message: SetDaemon) -> None:
    service = init.daemons.setdefault(message.name, Service(message.name))
    service.want(message.launch, message.generation)
    service.until_s = message.until_s


def _extend_lease(init: "Init", until_s: float) -> None:
    for service in init.daemons.values():
        if service.until_s != float("inf"):  # the reader of another archive needs no lease
            service.until_s = until_s
