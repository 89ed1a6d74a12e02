"""Reports what prepare waits for: to PID 1 in one line, and to the agent as a fault."""

from walsup import log
from walsup.archive.faults import Fault
from walsup.pid1_messages import Progress, Send


def tell(send: Send, fault: Fault, told: str, *, before: str = "") -> str:
    """Report that the archive does not answer; return the fault class, for the next `told`.

    It is logged when its class differs from `told`. `before`: words before the line.
    """
    if fault.kind != told:
        log.warning("archive.waiting", kind=fault.kind, problem=fault.problem, remedy=fault.cure)
    detail = f"{before}waiting for the archive ({fault.kind}): {fault.problem}; {fault.cure}"
    send(Progress(detail, (fault.kind, fault.problem, fault.cure)))
    return fault.kind
