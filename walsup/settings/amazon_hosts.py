"""Amazon's host names: which region one names, and where a region's services are. Pure.

Sources: "Amazon Simple Storage Service endpoints and quotas" and "AWS Security Token Service
endpoints" in the AWS General Reference, and the partitions in botocore's endpoints.json.
"""

import re

_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}
_COMMON = "amazonaws.com"
_REGION = r"[a-z]+(?:-[a-z]+)+-\d"
# These take a bucket in any region, as the first label of the host: no path-style requests.
_OF_ANY_REGION = (
    "s3.amazonaws.com",
    "s3-external-1.amazonaws.com",
    "s3-accelerate.amazonaws.com",
    "s3-accelerate.dualstack.amazonaws.com",
)


def is_usual(host: str, bucket: str) -> bool:
    """Return whether it is the host that is asked without an endpoint too.

    That of all regions, that of one region (s3.eu-central-1.amazonaws.com), and each with the
    bucket's name in front of it: then the bucket is in the host, or the region is another's.
    """
    plain = host.lower().removeprefix(f"{bucket.lower()}.") if bucket else host.lower()
    suffixes = "|".join(re.escape(suffix) for suffix in (_COMMON, *_SUFFIXES.values()))
    of_one_region = re.fullmatch(rf"s3[.-]{_REGION}\.(?:{suffixes})", plain)
    return plain in _OF_ANY_REGION or bool(of_one_region)


def region_in(host: str) -> str | None:
    """Return the region that a host of Amazon's S3 names; None: it is another's, or names none.

    Such as s3.eu-central-1.amazonaws.com, s3-fips.dualstack.us-gov-west-1.amazonaws.com and
    bucket.vpce-0123.s3.eu-west-1.vpce.amazonaws.com.
    """
    suffixes = "|".join(re.escape(suffix) for suffix in (_COMMON, *_SUFFIXES.values()))
    found = re.search(rf"(?:^|[.-])({_REGION})\.(?:vpce\.)?(?:{suffixes})$", host.lower())
    return found[1] if found else None


def suffix(region: str) -> str:
    """Return the domain under which Amazon's services of this region are."""
    return next((found for begin, found in _SUFFIXES.items() if region.startswith(begin)), _COMMON)


def endpoint(region: str) -> str | None:
    """Return the S3 endpoint that an engine must be given: None where it knows it itself."""
    return None if suffix(region) == _COMMON else f"https://s3.{region}.{suffix(region)}"


def token_service(region: str) -> str:
    """Return the endpoint of STS, which lends a role's keys."""
    return f"https://sts.{region}.{suffix(region)}"
