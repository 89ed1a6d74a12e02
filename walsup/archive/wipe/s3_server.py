"""The bucket's server for a wipe: documents, and the server's clock."""

import base64
import hashlib
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime

from walsup.archive.storage.s3.document import XmlDocument
from walsup.archive.storage.s3.server import Call, S3Server
from walsup.settings import ArchiveUrl, Settings

_READ_TIMEOUT_S = 30.0


class WipeServer:
    """One bucket; several threads may use it. Raises what `s3.server.Server` raises."""

    def __init__(self, settings: Settings, archive: ArchiveUrl, change_timeout_s: float) -> None:
        """`change_timeout_s`: the timeout of a request that deletes."""
        self.now_at = time.time()
        self._server = S3Server(settings, archive)
        self._change_timeout_s = change_timeout_s

    def document(self, call: Call, kind: str = "") -> XmlDocument:
        """Return the answer's document; raises OddAnswerError for another kind."""
        return XmlDocument(self.ask(call), kind)

    def ask(self, call: Call) -> bytes:
        """Return the answer's body."""
        if call.body:
            # DeleteObjects requires a checksum; this is the one that every server knows.
            digest = hashlib.md5(call.body, usedforsecurity=False).digest()
            content_md5 = base64.b64encode(digest).decode()
            headers = {"content-type": "application/xml", "content-md5": content_md5}
            call = call._replace(headers=headers)
        timeout_s = _READ_TIMEOUT_S if call.method == "GET" else self._change_timeout_s
        answer = self._server.ask_now(call, timeout_s)
        with suppress(ValueError):  # unreadable: the time before stays in use
            self.now_at = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        return answer.body

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
