"""The sockets on which the agent answers: TCP for probes and metrics, a unix one for the commands.

The unix socket is in the run directory (0700): the commands find the agent of their data
directory there, whatever answers on the port.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from walsup.settings import HttpAddress

STATUS_SOCKET = "agent.sock"
# Connections that wait here use no descriptor of this process; one that finds no place tries
# again after a second, and then after three. The kernel has its own limit.
_BACKLOG = 4096
# Source: unix(7), sun_path has 108 bytes with its final zero.
_LONGEST_PATH_BYTES = 107


def listen_on_tcp(address: HttpAddress) -> socket.socket:
    """Return a listening TCP socket; without a host it uses IPv4 and IPv6 where both exist.

    A kernel can lack IPv6, and another program can use the port with IPv6 alone.

    Raises:
        OSError: the address cannot be used, or is in use.
    """
    if address.host:
        return _listen(address.host, address.port)
    try:
        return _listen("::", address.port)
    except OSError:
        return _listen("0.0.0.0", address.port)  # noqa: S104 (probes)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":  # IPv4 too, whatever net.ipv6.bindv6only says
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.settimeout(0)
    return listener


def listen_in(run_dir: Path) -> socket.socket:
    """Return a listening unix socket (0600) in the run directory; it replaces an earlier one.

    Raises:
        OSError: the directory cannot be written to.
    """
    fresh = run_dir / f"{STATUS_SOCKET}.new"
    fresh.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(fresh) as path:
            listener.bind(path)
        fresh.chmod(0o600)
        listener.listen(_BACKLOG)
        fresh.replace(run_dir / STATUS_SOCKET)
    except OSError:
        listener.close()
        raise
    listener.settimeout(0)
    return listener


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Return a name for a socket's path that fits into an address, however long the path is."""
    if len(os.fsencode(path)) <= _LONGEST_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
