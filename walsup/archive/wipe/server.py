"""Signed requests to an S3 server, for the calls that obstore has not.

obstore lists no versions and no uploads, and deletes by name only; botocore would bring 32 MB into
the image, minio 15 MB, most of it cryptography, and it hides the listing of uploads. A few kinds of
documents over http.client do, and nothing of it is loaded by PID 1 or the agent.
"""

import base64
import hashlib
import http.client
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from walsup.archive.answers import kind_of
from walsup.archive.fault import Fault, FaultError
from walsup.archive.region import KINDS, look_up
from walsup.archive.wipe.documents import Document, OddAnswerError
from walsup.archive.wipe.keys import KeyRing, trust
from walsup.archive.wipe.signature import Request
from walsup.settings import ArchiveUrl, Settings

_READ_TIMEOUT_S = 30.0
_DEFAULT_REGION = "us-east-1"
_CANNOT = ("NotImplemented", "MethodNotAllowed", "UnsupportedOperation")


class RefusedError(FaultError):
    """The server has answered, and not with what was asked for."""

    def __init__(self, fault: Fault, status: int, code: str) -> None:
        super().__init__(fault)
        self.status = status
        self.code = code

    @property
    def cannot(self) -> bool:
        """Whether the server does not know this kind of request at all."""
        return self.code in _CANNOT or self.status in (405, 501)


class Call(NamedTuple):
    """What is asked of the bucket; `right`: what the key needs for it. `key`: whole."""

    method: str
    right: str
    query: Mapping[str, str]
    key: str = ""
    body: bytes = b""


class Server:
    """One bucket; may be asked from several threads, each of which keeps a connection."""

    def __init__(self, settings: Settings, archive: ArchiveUrl, change_timeout_s: float) -> None:
        """`change_timeout_s`: how long it may take until a request that deletes is answered."""
        region = settings.region or (look_up(archive.bucket) if not settings.endpoint else "")
        self.now_at = time.time()
        self._bucket = archive.bucket
        self._region = region or _DEFAULT_REGION
        self._keys = KeyRing(settings, self._region)
        self._change_timeout_s = change_timeout_s
        self._trust = trust(settings.ca_file)
        amazon = f"s3.{self._region}.amazonaws.com"
        # A certificate for *.s3.… does not cover a bucket with dots in its name.
        virtual = not settings.endpoint and "." not in archive.bucket
        url = urlsplit(settings.endpoint or f"https://{amazon}")
        self._scheme = url.scheme
        self.host = f"{archive.bucket}.{amazon}" if virtual else url.netloc
        self._root = "/" if virtual else f"/{archive.bucket}"
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []

    def document(self, call: Call, kind: str = "") -> Document:
        """Give the answer's document.

        Raises:
            RefusedError: the server refuses; FaultError: it cannot be reached, or answers oddly.
        """
        return Document(self.ask(call), kind)

    def ask(self, call: Call) -> bytes:
        """Give the answer's body; raises as `document` does."""
        slash = "" if self._root.endswith("/") else "/"
        path = f"{self._root}{slash}{call.key}" if call.key else self._root
        extra = {"content-type": "application/xml"} if call.body else {}
        if call.body:
            # DeleteObjects insists on a checksum; this is the one that every server knows.
            digest = hashlib.md5(call.body, usedforsecurity=False).digest()
            extra["content-md5"] = base64.b64encode(digest).decode()
        request = Request(call.method, self.host, path, call.query, call.body, extra)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = request.signed(self._keys.now(), self._region, stamp)
        where = f"{call.right} on {self._bucket}{f'/{call.key}' if call.key else ''}"
        connection = self._connection(
            _READ_TIMEOUT_S if call.method == "GET" else self._change_timeout_s
        )
        try:
            connection.request(call.method, request.target, call.body or None, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as raised:
            connection.close()  # it connects anew when it is used again
            raise FaultError(_unreachable(raised, where)) from raised
        if date := answer.getheader("date"):
            self.now_at = parsedate_to_datetime(date).timestamp()
        if answer.status >= http.client.BAD_REQUEST or answer.status in (301, 307):
            raise _refused(answer.status, body, where)
        return body

    def close(self) -> None:
        """End the connections."""
        for connection in self._open:
            connection.close()

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = (
                http.client.HTTPSConnection(self.host, context=self._trust)
                if self._scheme == "https"
                else http.client.HTTPConnection(self.host)
            )
            self._local.connection = found
            self._open.append(found)
        found.timeout = timeout_s
        if found.sock is not None:
            found.sock.settimeout(timeout_s)
        return found


def _unreachable(raised: Exception, where: str) -> Fault:
    kind = next((kind for of, kind in KINDS if isinstance(raised, of)), "refused")
    return Fault(kind=kind, problem=f"{where}: {raised or type(raised).__name__}")


def _refused(status: int, body: bytes, where: str) -> RefusedError:
    try:
        document = Document(body)
        code, message = document.text("Code"), document.text("Message")
    except OddAnswerError:
        code = message = ""
    kind = kind_of(code, status) or "unknown"
    said = f"status {status}" + (f" ({code}: {message})" if code else "")
    return RefusedError(Fault(kind=kind, problem=f"{where}: {said}"), status, code)
