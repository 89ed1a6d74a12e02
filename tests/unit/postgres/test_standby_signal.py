"""Names of standbys."""

import pytest

from walsup.postgres.standby_signal import ordinal, slot_name


@pytest.mark.parametrize(
    ("hostname", "number"), [("db-0", 0), ("my-db-12", 12), ("db", None), ("", None), ("db-", None)]
)
def test_the_ordinal_of_a_pod(hostname: str, number: int | None) -> None:
    """The digits behind the last dash."""
    assert ordinal(hostname) == number


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("Orders-DB-1", "walsup_standby_orders_db_1"),
        ("box", "walsup_standby_0a1b"),
        ("x" * 80 + "-7", "walsup_standby_" + "x" * 38 + "_7"),
    ],
)
def test_a_slot_has_its_pods_name_or_its_directorys(hostname: str, name: str) -> None:
    """In what PostgreSQL allows: 63 of a few letters."""
    assert slot_name(hostname, "0a1b") == name
