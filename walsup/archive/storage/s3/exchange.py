"""A request and its answer over a connection. No I/O: h11 writes and parses HTTP in memory."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import h11

from walsup.archive.storage.s3.lines import CutOffError, Line
from walsup.archive.storage.s3.protocols import OtherProtocolError, spoken
from walsup.archive.storage.s3.steps import Steps

# The largest answers are a page of a listing (1,000 keys, 0.5 MB) and a large sentinel.
MOST_BYTES = 64 << 20


class UnsendableError(ValueError):
    """A key or token has characters that a header cannot contain; it is not shown."""

    def __init__(self) -> None:
        super().__init__("a key or token contains characters that are not allowed in a header")


class PreparedRequest(NamedTuple):
    """A request that is ready to be sent. `headers`: all but the length.

    `most_bytes`: of the answer's body.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    most_bytes: int = MOST_BYTES


class Reply(NamedTuple):
    """An answer. `headers`: names in lower case; `keeps`: the connection stays open."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    keeps: bool = False


def exchange(line: Line, asked: PreparedRequest) -> Steps[Reply]:
    """Send a request and return its answer.

    Raises:
        CutOffError: there is no complete answer.
        UnsendableError: a header cannot be sent.
    """
    http = h11.Connection(h11.CLIENT)
    written = _written(http, asked)
    with suppress(
        ConnectionResetError, BrokenPipeError
    ):  # the server may have answered before that
        yield from line.send(written)
    response, body, beginning = None, bytearray(), b""
    try:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                received = yield from line.receive()
                beginning = beginning or received[:16]
                http.receive_data(received)
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > asked.most_bytes:
                    raise CutOffError(f"the answer is larger than {asked.most_bytes >> 20} MiB")
            elif not isinstance(event, h11.InformationalResponse):
                break  # its end, or that of the connection
    except h11.RemoteProtocolError as raised:
        if response is None and (name := spoken(beginning)):
            raise OtherProtocolError(name) from raised
        said = str(raised).partition("bytearray(")[0].rstrip(": ")  # not what was received
        cut_off = CutOffError(f"the connection was cut off: {said}")
        cut_off.before_anything = not beginning
        raise cut_off from raised
    if response is None:
        closed = CutOffError("the connection was closed without an answer")
        closed.before_anything = not beginning
        raise closed
    headers = {name.decode(): value.decode("latin-1") for name, value in response.headers}
    keeps = http.our_state is h11.DONE and http.their_state is h11.DONE
    # Bytes after the answer would be read as the next answer.
    keeps = keeps and line.is_clear and http.trailing_data == (b"", False)
    return Reply(response.status_code, headers, bytes(body), keeps)


def _written(http: h11.Connection, asked: PreparedRequest) -> bytes:
    headers = dict(asked.headers)
    if asked.method in ("PUT", "POST"):
        headers["content-length"] = str(len(asked.body))
    try:
        request = h11.Request(method=asked.method, target=asked.target, headers=[*headers.items()])
        events = (request, h11.Data(data=asked.body), h11.EndOfMessage())
        return b"".join(http.send(event) or b"" for event in events)
    except (h11.LocalProtocolError, UnicodeEncodeError):
        raise UnsendableError from None  # h11's message shows the header
