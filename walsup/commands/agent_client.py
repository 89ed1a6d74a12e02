"""The commands' connection to the agent of their data directory: its unix socket, else HTTP.

Another database's agent may answer on the port: the answer is compared with the data directory and
with the start that the run directory names, before any of it is shown.
"""

import contextlib
import http.client
import json
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from walsup.agent.http.listeners import STATUS_SOCKET, short_path
from walsup.boot.handover import AGENT_FILE
from walsup.datadir import markers
from walsup.init.early_settings import run_dirs
from walsup.settings import HttpAddress, Settings
from walsup.system.setting_text import clean

_TIMEOUT_S = 5.0


class OtherAgentError(ValueError):
    """The answer does not come from a known agent of this data directory."""


def status(known: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return `/status` of the agent of this data directory.

    Raises:
        OSError, ValueError: no agent answers, or another program does.
        OtherAgentError: the answer is another agent's, or cannot be compared.
    """
    environ, refused = clean(environ), None
    directories = run_dirs(environ, os.geteuid(), _owner(known.pgdata), str(known.pgdata))
    for path in (Path(directory, STATUS_SOCKET) for directory in directories):
        try:
            with short_path(path) as short, _connect(short) as sock:
                _check_user(sock, path, known.pgdata)
                found = _read(_Taken(sock))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            continue
        except PermissionError as denied:
            refused = denied
            continue
        _compare(found, known.pgdata, str(path), None)
        return found
    return _over_http(known, directories, refused)


class ContainerStart(NamedTuple):
    """The latest start of a container: its name, and its run directory."""

    boot: str
    run_dir: Path


def start(known: Settings, environ: Mapping[str, str]) -> ContainerStart | None:
    """Return the latest start of this data directory's container; None: not known."""
    for directory in run_dirs(environ, os.geteuid(), _owner(known.pgdata), str(known.pgdata)):
        if found := _boot([directory], known.pgdata):
            return ContainerStart(found, Path(directory))
    return None


def _over_http(known: Settings, directories: list[str], refused: OSError | None) -> dict[str, Any]:
    where = f"port {known.http.port}"
    try:
        found = _read_one(known.http)
    except (OSError, ValueError) as fault:
        sockets = ", ".join(f"{directory}/{STATUS_SOCKET}" for directory in directories)
        denied = f" ({refused.strerror})" if refused else ""
        raise ConnectionError(
            f"no agent answers on {sockets}{denied}, nor on {where}: {fault}"
        ) from fault
    _compare(found, known.pgdata, where, _boot(directories, known.pgdata))
    return found


def _read_one(address: HttpAddress) -> dict[str, Any]:
    """Return the first answer from a loopback address."""
    for host in address.loopbacks[:-1]:
        with contextlib.suppress(OSError):
            return _read(_connection(host, address.port))
    return _read(_connection(address.loopbacks[-1], address.port))


def _connection(host: str, port: int) -> http.client.HTTPConnection:
    # Not urllib: it would use a proxy from the environment.
    return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)


class _Taken(http.client.HTTPConnection):
    """HTTP over a socket that is already connected."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__("localhost")
        self.sock = sock


def _connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(_TIMEOUT_S)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def _check_user(sock: socket.socket, path: Path, pgdata: Path) -> None:
    """Reject a socket that another user than root, this user or the data directory's owner made."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if uid not in (0, os.geteuid(), _owner(pgdata)):
        raise OtherAgentError(f"a process of another user (uid {uid}) answers on {path}")


def _read(connection: http.client.HTTPConnection) -> dict[str, Any]:
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise ValueError(f"it answers {answer.status} {answer.reason}")
    except http.client.HTTPException as fault:
        raise ValueError(f"it does not speak HTTP: {fault!r}") from fault
    finally:
        connection.close()
    found = json.loads(content)
    if not isinstance(found, dict) or "protected" not in found:
        raise ValueError("it is not walsup's agent")
    return found


def _compare(found: dict[str, Any], pgdata: Path, where: str, boot: str | None) -> None:
    """Compare an answer with this data directory; `boot`: its latest start, if known.

    Raises:
        OtherAgentError: it is another agent's, or cannot be compared.
    """
    theirs = f"{found.get('pgdata')} (system identifier {found.get('system_id')})"
    here, there = _place(pgdata), found.get("place")
    if (here and there and here != there) or (boot and boot != found.get("boot")):
        raise OtherAgentError(f"the agent on {where} belongs to {theirs}, not to {pgdata}")
    if not (here and there) and not boot:
        raise OtherAgentError(
            f"the agent on {where} belongs to {theirs}; whether that is {pgdata} cannot be"
            " determined: neither the data directory nor its run directory can be read here"
        )


def _boot(directories: list[str], pgdata: Path) -> str | None:
    """Return the start that a run directory of this data directory names. None: not known."""
    for directory in directories:
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(Path(directory, AGENT_FILE).read_text(encoding="utf-8"))
            if content["pgdata"] == str(pgdata):
                return str(content["boot"])
    return None


def _place(pgdata: Path) -> str:
    try:
        return markers.place(pgdata)
    except OSError:
        return ""


def _owner(pgdata: Path) -> int:
    try:
        return pgdata.stat().st_uid
    except OSError:
        return os.geteuid()
