"""Where a bucket of Amazon's is, asked of S3 itself when AWS_REGION is not set.

An anonymous HEAD tells the region whatever it thinks of the request, so no right is needed for
it (WAL-G's own lookup needs s3:GetBucketLocation).
"""

import http.client
import socket
import ssl
from urllib.parse import urlsplit

from walsup.archive.fault import Fault, FaultError

AMAZON = "https://s3.amazonaws.com"
_HEADER = "x-amz-bucket-region"
_TIMEOUT_S = 5.0
KINDS: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "dns"),
    (ssl.SSLError, "tls"),
    (TimeoutError, "timeout"),
    (ConnectionError, "refused"),
)


def look_up(bucket: str, endpoint: str = AMAZON) -> str:
    """Give the bucket's region. Blocks, for 5 s at most a step.

    Raises:
        FaultError: there is no such bucket, S3 cannot be reached, or does not tell.
    """
    url = urlsplit(endpoint)
    connection = (
        http.client.HTTPSConnection(
            url.netloc, timeout=_TIMEOUT_S, context=ssl.create_default_context()
        )
        if url.scheme == "https"
        else http.client.HTTPConnection(url.netloc, timeout=_TIMEOUT_S)
    )
    try:
        connection.request("HEAD", f"/{bucket}")
        answer = connection.getresponse()
        region, status = answer.getheader(_HEADER), answer.status
    except (OSError, http.client.HTTPException) as raised:
        kind = next((kind for of, kind in KINDS if isinstance(raised, of)), "unknown")
        problem = f"AWS_REGION is not set, and {endpoint} cannot be asked: {raised}"
        raise FaultError(Fault(kind=kind, problem=problem)) from raised
    finally:
        connection.close()
    if region:
        return region
    if status == http.client.NOT_FOUND:
        raise FaultError(Fault(kind="no bucket", problem=f"{endpoint} knows no bucket {bucket}"))
    raise FaultError(
        Fault(
            kind="wrong region",
            problem=f"AWS_REGION is not set, and {endpoint} does not tell where {bucket} is"
            f" (status {status})",
        )
    )
