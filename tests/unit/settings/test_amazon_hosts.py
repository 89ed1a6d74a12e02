"""Amazon's host names and partitions."""

import pytest

from walsup.settings import amazon_hosts


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-central-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-northwest-1", "amazonaws.com.cn"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("garage", "amazonaws.com"),
    ],
)
def test_each_partition_has_its_own_domain(region: str, domain: str) -> None:
    """China's, and those that are cut off from the internet."""
    assert amazon_hosts.suffix(region) == domain
    common = domain == "amazonaws.com"
    assert amazon_hosts.endpoint(region) == (None if common else f"https://s3.{region}.{domain}")
    assert amazon_hosts.token_service(region) == f"https://sts.{region}.{domain}"
    assert amazon_hosts.region_in(f"s3.{region}.{domain}") == (
        None if region == "garage" else region
    )
