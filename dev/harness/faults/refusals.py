"""How requests are refused: S3's error documents, and a reset of the connection."""

import asyncio
import contextlib
import socket
import struct

_CHUNK_BYTES = 64 * 1024

ERRORS = {
    403: "InvalidAccessKeyId",
    404: "NoSuchBucket",
    500: "InternalError",
    503: "SlowDown",
}


def refusal() -> bytes:
    """The whole answer to a key that is not known."""
    body = error_document("InvalidAccessKeyId")
    head = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def error_document(code: str) -> bytes:
    """The body of a refusal."""
    text = f"<Error><Code>{code}</Code><Message>made by FaultProxy</Message></Error>"
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()


async def answer_once(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, code: str
) -> None:
    """Answer one request with `status` and S3's error document, in the target's place."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return
    body = b"" if head.startswith(b"HEAD ") else error_document(code)
    lines = (
        f"HTTP/1.1 {status} {code}",
        "Content-Type: application/xml",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    await writer.drain()
    writer.write_eof()
    # Closing on an unread body would reset the connection before the client has our answer.
    await swallow(reader)


async def swallow(reader: asyncio.StreamReader) -> None:
    """Read what comes until the other side ends, and let nothing of it go on."""
    while await reader.read(_CHUNK_BYTES):
        pass


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a RST instead of a FIN."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            # Lingering for 0 s is what makes close() send a RST.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
