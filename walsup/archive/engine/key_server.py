"""The program that lends the bucket's keys to a running engine; standard library only.

Both engines read static keys once. Keys that expire they request again before that, from an
instance's or a container's metadata service: here that is this program, on the loopback device. It
answers with the current content of the keys' file. Its paths begin with a secret word of that file,
because other containers of a pod reach the same loopback device.

Source: EC2's instance metadata service version 2 and ECS's container credentials, as WAL-RUS 0.4.1
(src/storage/creds.rs) and aws-sdk-go 1.55 (WAL-G 3.0.9) ask them.
"""

import json
import select
import socket
import sys
import time

_ROLES = "/latest/meta-data/iam/security-credentials/"
_ROLE = "walsup"
_SESSION = "/latest/api/token"
_LONGEST_REQUEST_BYTES = 16 << 10
_PATIENCE_S = 2.0  # for a whole request
_LOOK_EVERY_MS = 100
MOST_CLIENTS = 64
# Both engines request keys again 300 s before they expire.
_MARGIN_S = 300
KEPT_S = 5


class _Client:
    """A connection whose request is not complete yet."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        self.connection = connection
        self.until_s = time.monotonic() + _PATIENCE_S
        self._said = b""

    def request(self) -> str:
        """Read the available bytes; return the request's method and path, "" until it is complete.

        Raises:
            OSError: the connection ended; ValueError: this is not a request.
        """
        part = self.connection.recv(_LONGEST_REQUEST_BYTES)
        self._said += part
        if b"\r\n\r\n" not in self._said:
            if not part or len(self._said) >= _LONGEST_REQUEST_BYTES:
                raise ValueError("no request")
            return ""
        method, path, _ = self._said.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        return f"{method} {path}"


def main() -> None:
    """Serve on the listening socket 0; the argument is the keys' file."""
    listener = socket.socket(fileno=0)
    listener.settimeout(0)
    clients: dict[int, _Client] = {}
    while True:
        _turn(listener, clients, sys.argv[1])


def _turn(listener: socket.socket, clients: "dict[int, _Client]", path: str) -> None:
    """Wait for the next event, accept or answer it, and close silent connections."""
    waiting = select.poll()
    for descriptor in (0, *clients):
        waiting.register(descriptor, select.POLLIN)
    for descriptor, _ in waiting.poll(_LOOK_EVERY_MS if clients else None):
        if descriptor == 0:
            _accept(listener, clients)
        elif (client := clients.get(descriptor)) and _serve(client, path):
            _close(clients, descriptor)
    for descriptor in [one for one, client in clients.items() if client.until_s < time.monotonic()]:
        _close(clients, descriptor)


def _accept(listener: socket.socket, clients: "dict[int, _Client]") -> None:
    try:
        connection, _ = listener.accept()
    except OSError:
        return  # it closed the connection
    if len(clients) >= MOST_CLIENTS:
        _close(clients, next(iter(clients)))  # the one that has been silent for longest
    clients[connection.fileno()] = _Client(connection)


def _serve(client: _Client, path: str) -> bool:
    """Answer a complete request; return whether the connection is finished."""
    try:
        if not (request := client.request()):
            return False
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 (pathlib: 5 ms)
            lent = json.load(file)
        client.connection.sendall(answer(request, lent, time.time()))
    except BlockingIOError:
        return False
    except (OSError, ValueError, KeyError):
        pass  # the engine repeats it
    return True


def _close(clients: "dict[int, _Client]", descriptor: int) -> None:
    clients.pop(descriptor).connection.close()


def answer(request: str, lent: "dict[str, str]", now: float) -> bytes:
    """Return the answer to a method and path. `lent`: the file's content; `now`: Unix seconds."""
    word = lent["word"]
    if request == f"PUT /{word}{_SESSION}":
        return _response("200 OK", word)
    if request == f"GET /{word}{_ROLES}":
        return _response("200 OK", _ROLE)
    if request in (f"GET /{word}{_ROLES}{_ROLE}", f"GET /{word}"):
        end = time.gmtime(now + _MARGIN_S + KEPT_S)
        fields = {
            "Code": "Success",
            "AccessKeyId": lent["key"],
            "SecretAccessKey": lent["secret"],
            "Token": lent["token"],
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", end),
        }
        return _response("200 OK", json.dumps(fields))
    return _response("404 Not Found", "")


def _response(status: str, body: str) -> bytes:
    content = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


if __name__ == "__main__":
    main()
