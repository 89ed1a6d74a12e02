"""What a stop counts as a bucket that does not answer."""

import asyncio

import pytest

from walsup.agent.stopping.bucket_silence import Silence, ask
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.storage.bucket import Object
from walsup.archive.storage.s3.exchange import Reply
from walsup.archive.storage.s3.failures import refused, unanswered

REFUSED = Fault(FaultKind.REFUSED, "nothing listens there")
_HANGS_S = 60.0


def _document(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


class Raising:
    """The one request of a stop, which ends with an error; None: it hangs."""

    def __init__(self, raised: Exception | None) -> None:
        self._raised = raised

    async def get(self, key: str) -> Object:
        """Read an object."""
        if self._raised is None:
            await asyncio.sleep(_HANGS_S)
            raise AssertionError(key)
        raise self._raised


@pytest.mark.parametrize(
    "raised",
    [
        refused(Reply(503, {}, _document("SlowDown")), "get"),
        refused(Reply(403, {}, _document("InvalidAccessKeyId")), "get"),
        refused(Reply(403, {}, _document("AccessDenied")), "get"),
        refused(Reply(500, {}, _document("InternalError")), "get"),
        FileNotFoundError("walsup/owner.json"),
    ],
)
async def test_an_error_that_an_s3_server_answers_with_is_no_silence(raised: Exception) -> None:
    """It may pass: a server that asks for fewer requests, keys that are being exchanged."""
    assert await ask(Raising(raised), 1.0) is None


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (unanswered(ConnectionRefusedError(111, "refused"), "get", "http://h"), "refused"),
        (unanswered(TimeoutError(), "get", "http://h"), "timeout"),
        (unanswered(ConnectionResetError(104, "reset"), "get", "http://h"), "refused"),
        (refused(Reply(502, {}, b"<html>Bad Gateway</html>"), "get"), "server error"),
        (OSError(116, "Stale file handle"), "server error"),
        (None, "timeout"),
    ],
)
async def test_what_no_s3_server_has_answered_is_silence(
    raised: Exception | None, kind: str
) -> None:
    """A load balancer without a server, and a directory whose mount is lost, answer nothing."""
    fault = await ask(Raising(raised), 0.05)
    assert fault is not None
    assert fault.kind == kind


def test_patience_begins_again_with_each_answer_and_each_segment_that_is_taken() -> None:
    """Only time without either of them counts."""
    silence = Silence(20.0, 0.0)
    assert silence.note(REFUSED, 0, 19.0) == ""
    assert silence.note(None, 0, 19.5) == ""
    assert silence.note(REFUSED, 0, 39.0) == ""
    assert silence.note(REFUSED, 1, 39.4) == ""
    assert silence.note(REFUSED, 1, 59.0) == ""
    said = silence.note(REFUSED, 1, 59.5)
    assert said == "the bucket has not answered for 20s (refused: nothing listens there)"
