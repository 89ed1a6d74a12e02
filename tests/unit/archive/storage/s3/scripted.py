"""A server over real sockets that says what it is told to."""

import contextlib
import socket
import threading

from walsup.archive.storage.s3.connections import ConnectionPool
from walsup.archive.storage.s3.steps import Peer


class Scripted:
    """Gives each connection the next list of answers, one for a request; then it closes."""

    def __init__(self, *script: list[bytes], piece: int = 1 << 16) -> None:
        self._script = [*script]
        self._piece = piece
        self.heard: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> ConnectionPool:
        self._asking = ConnectionPool(Peer("127.0.0.1", self.port, None))
        return self._asking

    def __exit__(self, *_: object) -> None:
        self._asking.close()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # who waits in accept() does not see close()
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        for answers in self._script:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return  # nobody asks any more
            self.connections += 1
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with line, contextlib.suppress(OSError):  # who asks may give up
                for answer in answers:
                    if not self._hear(line):
                        break
                    for start in range(0, len(answer), self._piece):
                        line.sendall(answer[start : start + self._piece])

    def _hear(self, line: socket.socket) -> bool:
        heard = b""
        while b"\r\n\r\n" not in heard:
            if not (piece := line.recv(1 << 16)):
                return False
            heard += piece
        head, _, body = heard.partition(b"\r\n\r\n")
        length = next(
            (int(row[15:]) for row in head.split(b"\r\n") if row.startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += line.recv(1 << 16)
        self.heard.append(head + b"\r\n\r\n" + body)
        return True
