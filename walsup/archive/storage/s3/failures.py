"""The meaning of a failed request, in the classes of `faults`. Pure."""

import errno
import socket
import ssl
import time
from contextlib import suppress
from urllib.parse import urlsplit

from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.s3_error_codes import is_page, meaning
from walsup.archive.storage.s3.document import OddAnswerError, XmlDocument, clock
from walsup.archive.storage.s3.exchange import Reply, UnsendableError
from walsup.archive.storage.s3.lines import CutOffError
from walsup.archive.storage.s3.protocols import OtherProtocolError
from walsup.redaction import redact_known

_KINDS: tuple[tuple[type[Exception], FaultKind], ...] = (
    (socket.gaierror, FaultKind.DNS),
    (ssl.SSLError, FaultKind.TLS),
    (TimeoutError, FaultKind.TIMEOUT),
    (UnsendableError, FaultKind.AUTH),
    (ValueError, FaultKind.DNS),  # not a name that can be resolved, not a port
)
_MOST_SHOWN = 200
_FIRST_REFUSAL = 400
_CANNOT = ("NotImplemented", "MethodNotAllowed", "UnsupportedOperation")
_CUT_OFF = (
    "check the network, the proxies and load balancers between here and the S3 server: connections"
    " are cut off in the middle of a transfer"
)
_CLOSED = (
    "check host and port in AWS_ENDPOINT, and whether http:// or https:// is correct: the server"
    " closes the connection without an answer"
)
_NO_ROUTE = "check routes, firewalls and network policies: AWS_ENDPOINT cannot be reached from here"
_UNROUTED = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
_NOT_TLS = (
    *("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"),
    *("RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE", "UNEXPECTED_EOF_WHILE_READING"),
)
_ASKS_FOR_A_CERTIFICATE = ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE")
# Source: OpenSSL, x509_vfy.h.
_CERTIFICATES = {
    9: "set this machine's clock, or renew the server's certificate: it is not valid yet",
    10: "renew the S3 server's certificate: it has expired (or set this machine's clock)",
    62: "set AWS_ENDPOINT to a host name that is in the server's certificate",
    64: "set AWS_ENDPOINT to an address that is in the server's certificate, or to its host name",
}


class RefusedError(FaultError):
    """The server answered with an error. `code`: S3's code, or ""."""

    def __init__(self, fault: Fault, status: int, code: str) -> None:
        super().__init__(fault)
        self.status = status
        self.code = code

    @property
    def cannot(self) -> bool:
        """Return whether the server does not support this kind of request at all."""
        return self.code in _CANNOT or self.status in (405, 501)


def kind_of_failure(raised: Exception) -> FaultKind:
    """Return the class of the failure that prevented an answer."""
    if isinstance(raised, OSError) and raised.errno in (errno.EMFILE, errno.ENFILE):
        return FaultKind.UNKNOWN  # this machine's own certificates
    if isinstance(raised, OtherProtocolError):
        return FaultKind.TLS if raised.is_tls else FaultKind.NO_S3_SERVER
    return next((kind for of, kind in _KINDS if isinstance(raised, of)), FaultKind.REFUSED)


def unanswered(raised: Exception, where: str, address: str) -> FaultError:
    """Return the error of an unanswered request. `where`: the permission, and the object."""
    late = isinstance(raised, TimeoutError)
    said = str(raised) or ("timed out" if late else type(raised).__name__)
    fault = Fault(kind_of_failure(raised), f"{where}: {said}", _remedy(raised, address))
    return FaultError(fault)


def _remedy(raised: Exception, address: str) -> str:
    if isinstance(raised, (CutOffError, ConnectionResetError, BrokenPipeError)):
        return _of_ended(raised, address)
    if isinstance(raised, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(raised.verify_code, "")
    if isinstance(raised, ssl.SSLError):
        return _of_tls(str(raised), address)
    if isinstance(raised, OSError) and raised.errno in _UNROUTED:
        return _NO_ROUTE
    return ""


def _of_ended(raised: Exception, address: str) -> str:
    if isinstance(raised, OtherProtocolError):
        return f"set AWS_ENDPOINT=https://{urlsplit(address).netloc}" if raised.is_tls else ""
    return _CLOSED if isinstance(raised, CutOffError) and raised.before_anything else _CUT_OFF


def _of_tls(reason: str, address: str) -> str:
    if any(word in reason for word in _NOT_TLS) or "EOF occurred" in reason:
        return (
            f"set AWS_ENDPOINT=http://{urlsplit(address).netloc} if the server speaks plain HTTP:"
            " without http:// before the host, https is assumed"
        )
    if any(word in reason for word in _ASKS_FOR_A_CERTIFICATE):
        return "allow requests without a client certificate: walsup has none"
    return ""


def refused(
    answer: Reply, where: str, *, bucket: str = "", host: str = "", conditional: bool = False
) -> RefusedError:
    """Return the error of a rejected request; its document is shown in part.

    `conditional`: whether the request had a condition; `bucket` at `host` is what was asked.
    """
    code = message = region = ""
    with suppress(OddAnswerError):  # it has none, or is another program's page
        document = XmlDocument(answer.body)
        code, message = document.text("Code"), document.text("Message")
        region = document.text("Region")
    page = "" if code else answer.body[:4096].decode(errors="replace")
    found = meaning(code, answer.status, message or page)
    kind, remedy = found.kind or FaultKind.UNKNOWN, found.remedy
    if found.kind is None and not code:
        kind = FaultKind.NO_S3_SERVER
    if code == "NotImplemented" and not conditional:
        kind, remedy = (
            FaultKind.SERVER_ERROR,
            "use another S3 server: this one does not support the request",
        )
    region = answer.headers.get("x-amz-bucket-region", region)
    if kind == FaultKind.WRONG_REGION and region:
        remedy = f"set AWS_REGION={region}"
    elif answer.status < _FIRST_REFUSAL and (location := answer.headers.get("location")):
        kind, remedy = _redirected(location, host, kind, remedy)
    if kind == FaultKind.NO_BUCKET and bucket and host.startswith(f"{bucket}."):
        remedy = f"remove {bucket}. from the host in AWS_ENDPOINT: requests are path-style"
    said = _said(answer, code, message, page)
    if kind == FaultKind.CLOCK_SKEW:
        said += _skew(answer)
    return RefusedError(Fault(kind, f"{where}: {said}", remedy), answer.status, code)


def not_s3(answer: Reply, where: str) -> RefusedError | None:
    """Return the error of a successful answer that is a web page: no S3 server answered.

    The engines write no HTML, so no object of an archive begins in this way.
    """
    if not is_page(answer.body[:256].decode(errors="replace")):
        return None
    said = _said(answer, "", "", "page")
    return RefusedError(Fault(FaultKind.NO_S3_SERVER, f"{where}: {said}"), answer.status, "")


def _said(answer: Reply, code: str, message: str, page: str) -> str:
    if code:
        return f"status {answer.status} ({code}: {redact_known(message, words=True)[:_MOST_SHOWN]})"
    by = answer.headers.get("server", "")[:40]
    of = f" of {by}" if by else ""
    told = answer.headers.get("content-type", "").partition(";")[0] or "a text"
    return f"status {answer.status}" + (f" ({told}{of}, no S3 answer)" if page.strip() else "")


def _redirected(location: str, host: str, kind: FaultKind, remedy: str) -> tuple[FaultKind, str]:
    """Return the class of a redirection and what to do: the same host with TLS, or another one."""
    to = urlsplit(location)
    if not to.netloc:
        return FaultKind.NO_S3_SERVER, ""
    if to.scheme == "https" and to.hostname == host.partition(":")[0]:
        return (
            FaultKind.TLS,
            f"set AWS_ENDPOINT=https://{to.netloc}: the server does not accept plain HTTP",
        )
    if (
        kind != FaultKind.WRONG_REGION
        or to.hostname is None
        or to.hostname.endswith("amazonaws.com")
    ):
        return kind, remedy
    return FaultKind.NO_S3_SERVER, (
        f"set AWS_ENDPOINT to the S3 server itself: this one redirects to {to.netloc}"
    )


def _skew(answer: Reply) -> str:
    """Return the difference of this machine's clock to the server's, if the answer shows it."""
    told = clock(answer.headers.get("date", ""))
    if not told:
        return ""
    off_minutes = round((time.time() - told) / 60)  # in seconds it would change with each answer
    return (
        f"; this machine's clock is {abs(off_minutes)} minutes"
        f" {'ahead of' if off_minutes > 0 else 'behind'} its"
    )
