"""How long a stop may take when WALSUP_STOP_GRACE is not set; loaded in PID 1."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
# Kubernetes kills after 30 s; docker, podman and compose after 10 s.
IN_KUBERNETES_S = 25.0
ELSEWHERE_S = 8.0


def default_s(environ: "Mapping[str, str]") -> float:
    """Return the seconds in which a verdict comes before the container is killed.

    Kubernetes sets KUBERNETES_SERVICE_HOST in every container, without service links too.
    """
    return IN_KUBERNETES_S if environ.get(IN_KUBERNETES) else ELSEWHERE_S
