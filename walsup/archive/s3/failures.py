"""What a request that failed means, in the classes of `fault`. Pure."""

import errno
import socket
import ssl
from contextlib import suppress

from walsup.archive.answers import kind_of
from walsup.archive.fault import Fault, FaultError
from walsup.archive.s3.document import NO_S3_SERVER, Document, OddAnswerError
from walsup.archive.s3.exchange import Answer, UnsendableError
from walsup.archive.s3.lines import CutOffError
from walsup.redaction import redact_known

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "dns"),
    (ssl.SSLError, "tls"),
    (TimeoutError, "timeout"),
    (UnsendableError, "auth"),
    (ValueError, "dns"),  # no name that could be resolved, no port
)
_MOST_SHOWN = 200
_CANNOT = ("NotImplemented", "MethodNotAllowed", "UnsupportedOperation")
_CUT_OFF = (
    "check the network, the proxies and load balancers between here and the S3 server: connections"
    " are cut off in the middle of a transfer"
)


class RefusedError(FaultError):
    """The server has answered, and not with what was asked for. `code`: S3's word, or ""."""

    def __init__(self, fault: Fault, status: int, code: str) -> None:
        super().__init__(fault)
        self.status = status
        self.code = code

    @property
    def cannot(self) -> bool:
        """Whether the server does not know this kind of request at all."""
        return self.code in _CANNOT or self.status in (405, 501)


def kind_of_failure(raised: Exception) -> str:
    """Give the class of what prevented an answer."""
    if isinstance(raised, OSError) and raised.errno in (errno.EMFILE, errno.ENFILE):
        return "unknown"  # this machine's own
    return next((kind for of, kind in _KINDS if isinstance(raised, of)), "refused")


def unanswered(raised: Exception, where: str) -> FaultError:
    """Give the error of a request that was not answered. `where`: the right, and on what."""
    ended = isinstance(raised, (CutOffError, ConnectionResetError, BrokenPipeError))
    late = isinstance(raised, TimeoutError)
    said = str(raised) or ("timed out" if late else type(raised).__name__)
    fault = Fault(kind_of_failure(raised), f"{where}: {said}", _CUT_OFF if ended else "")
    return FaultError(fault)


def refused(answer: Answer, where: str) -> RefusedError:
    """Give the error of a request that was refused; its document is shown in part."""
    code = message = region = ""
    with suppress(OddAnswerError):  # it has none, or is the page of something else
        document = Document(answer.body)
        code, message = document.text("Code"), document.text("Message")
        region = document.text("Region")
    kind = kind_of(code, answer.status)
    said = f"status {answer.status}" + (
        f" ({code}: {redact_known(message)[:_MOST_SHOWN]})" if code else ""
    )
    remedy = "" if code or kind else NO_S3_SERVER
    if kind == "wrong region" and (region := answer.headers.get("x-amz-bucket-region", region)):
        remedy = f"set AWS_REGION={region}"
    fault = Fault(kind or "unknown", f"{where}: {said}", remedy)
    return RefusedError(fault, answer.status, code)
