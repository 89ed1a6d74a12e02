"""One HTTP request to loopback, or to a container on this machine."""

import http.client
import json
from typing import Any


def get(port: int, path: str, *, timeout_s: float, host: str = "127.0.0.1") -> tuple[int, Any]:
    """Status and body (JSON decoded when it says so); (0, reason) while nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(body) if is_json else body
    except (OSError, http.client.HTTPException) as reason:
        return 0, repr(reason)
    finally:
        connection.close()
