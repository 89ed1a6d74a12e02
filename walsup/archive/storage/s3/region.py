"""The region of a bucket at Amazon, requested from S3 when AWS_REGION is not set.

The answer to an anonymous HEAD names the region even if it rejects the request, so no permission is
needed for it (WAL-G's own lookup needs s3:GetBucketLocation).
"""

from pathlib import Path

from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.s3 import web
from walsup.archive.storage.s3.failures import kind_of_failure
from walsup.archive.storage.s3.lines import CutOffError
from walsup.archive.storage.s3.steps import Steps

AMAZON = "https://s3.amazonaws.com"
_HEADER = "x-amz-bucket-region"
_NOT_FOUND = 404


def look_up(bucket: str, endpoint: str = AMAZON, ca_file: Path | None = None) -> Steps[str]:
    """Return the bucket's region.

    Raises:
        FaultError: there is no such bucket, S3 does not answer, or does not name it.
    """
    try:
        answer = yield from web.ask("HEAD", f"{endpoint}/{bucket}", ca_file=ca_file)
    except (OSError, CutOffError) as raised:
        problem = f"AWS_REGION is not set, and {endpoint} cannot be asked: {raised}"
        raise FaultError(Fault(kind=kind_of_failure(raised), problem=problem)) from raised
    if region := answer.headers.get(_HEADER):
        return region
    if answer.status == _NOT_FOUND:
        raise FaultError(
            Fault(kind=FaultKind.NO_BUCKET, problem=f"{endpoint} has no bucket {bucket}")
        )
    raise FaultError(
        Fault(
            kind=FaultKind.WRONG_REGION,
            problem=f"AWS_REGION is not set, and {endpoint} does not say where {bucket} is"
            f" (status {answer.status})",
        )
    )
