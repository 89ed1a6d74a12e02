"""Free ports on loopback."""

import random
import socket

# Below the kernel's ephemeral range (32768 and up): from there, an outgoing connection of anyone
# could take a port between this look and the server's bind, or while a server is down.
_LOWEST_PORT, _HIGHEST_PORT = 10_000, 32_000

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """`count` distinct ports that nobody listens on and that were not given before."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.SystemRandom().randint(_LOWEST_PORT, _HIGHEST_PORT)
        if port not in _given and _is_free(port):
            _given.add(port)
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
