"""The program that lends the bucket's keys to a running engine; standard library only.

Both engines read given keys once. Keys that have an end they ask for again before it, at an
instance's or a container's metadata service: here that is this program, on the loopback device. It
answers with what the keys' file holds now. Its paths begin with a secret word of that file, for
other containers of a pod reach the same loopback device.

Source: EC2's instance metadata service version 2 and ECS's container credentials, as WAL-RUS 0.4.1
(src/storage/creds.rs) and aws-sdk-go 1.55 (WAL-G 3.0.9) ask them.
"""

import json
import socket
import sys
import time

_ROLES = "/latest/meta-data/iam/security-credentials/"
_ROLE = "walsup"
_SESSION = "/latest/api/token"
_LONGEST_REQUEST_BYTES = 16 << 10
_PATIENCE_S = 2.0
# Both engines ask again 300 s before the end.
_MARGIN_S = 300
KEPT_S = 5


def main() -> None:
    """Serve on the listening socket 0; the argument is the keys' file."""
    path = sys.argv[1]
    listener = socket.socket(fileno=0)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.settimeout(_PATIENCE_S)
                with open(path, encoding="utf-8") as file:  # noqa: PTH123 (pathlib: 5 ms)
                    lent = json.load(file)
                connection.sendall(answer(_request(connection), lent, time.time()))
            except (OSError, ValueError, KeyError):
                continue  # the engine asks again


def _request(connection: socket.socket) -> str:
    """Return the request's method and path."""
    said = b""
    while b"\r\n\r\n" not in said and len(said) < _LONGEST_REQUEST_BYTES:
        part = connection.recv(_LONGEST_REQUEST_BYTES)
        if not part:
            break
        said += part
    method, path, _ = said.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    return f"{method} {path}"


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
