"""The page of each path: probes, metrics, status; pure functions of the current snapshot."""

import json
from collections.abc import Callable
from typing import NamedTuple

from walsup.agent.http import health, metrics, status
from walsup.agent.snapshot import Snapshot

_JSON = "application/json"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
READS = ("GET", "HEAD")


class HttpResponse(NamedTuple):
    """An answer: its status code, and its content with the type."""

    code: int
    kind: str
    body: bytes


def page(method: str, path: str, snapshot: Snapshot) -> HttpResponse:
    """Return the answer to a request; HEAD gets the same as GET."""
    show = _PAGES.get(path.rstrip("/"))
    if show is None:
        return HttpResponse(404, _JSON, _as_json({"problem": "not found", "paths": list(_PAGES)}))
    if method not in READS:
        return problem(405, f"method {method} is not allowed")
    return show(snapshot)


def problem(code: int, said: str) -> HttpResponse:
    """Return a page that says what is wrong with the request."""
    return HttpResponse(code, _JSON, _as_json({"problem": said}))


def _probe(
    judge: Callable[[Snapshot], health.ProbeAnswer],
) -> Callable[[Snapshot], HttpResponse]:
    def show(snapshot: Snapshot) -> HttpResponse:
        answer = judge(snapshot)
        body = {"ok": answer.ok, "reasons": list(answer.reasons)}
        return HttpResponse(200 if answer.ok else 503, _JSON, _as_json(body))

    return show


def _as_json(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")  # a file's name need not be UTF-8


_PAGES: dict[str, Callable[[Snapshot], HttpResponse]] = {
    "/livez": _probe(health.live),
    "/readyz": _probe(health.ready),
    "/startupz": _probe(health.startup),
    "/metrics": lambda seen: HttpResponse(200, _METRICS_TYPE, metrics.render(seen)),
    "/status": lambda seen: HttpResponse(200, _JSON, _as_json(status.as_json(seen))),
}
