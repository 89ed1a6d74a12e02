"""Passwords are prepared as PostgreSQL prepares them, so that a verifier of ours fits its own."""

import pytest

from dev.harness import Machine, PgTools
from dev.harness.processes.layout import Layout
from dev.harness.processes.ports import free_ports
from walsup.postgres.sql import scram

PASSWORDS = {
    "ascii": "plain it's \\ %s",
    "soft hyphen": "I\u00adX",
    "zero width space": "a\u200bb",
    "non-breaking space": "a\u00a0b",
    "ideographic space": "a\u3000b",
    "compatibility": "\u2168\u00aa\ufb01",
    "combining": "e\u0301\u0323",
    "control": "\u00e4\x07",
    "private use": "\ue000\u00e4",
    "unassigned in 3.2": "\u0221\u00e4",
    "emoji": "\U0001f600\u00e4",
    "right to left": "\u0627\u0031\u0628",
    "ends in a digit": "\u0627\u0031",
    "mixed directions": "\u0627a\u0628",
    "nothing is left": "\u00ad\u200d",
    "long": "\u00e4" * 1000,
}


@pytest.fixture(scope="module")
def stored(machine: Machine) -> dict[str, str]:
    """What PostgreSQL itself stores for each."""
    layout = Layout(machine)
    tools = PgTools(machine.bindir, db_user=machine.db_user)
    found = {}
    try:
        tools.initdb(layout.pgdata, "--encoding=UTF8", "--locale=C.UTF-8")
        address = tools.start(layout.pgdata, port=free_ports(1)[0], settings={"fsync": "off"})
        try:
            for number, (name, password) in enumerate(PASSWORDS.items()):
                text = password.replace("'", "''")
                tools.psql(address, f"create role r{number} password '{text}'")
                sql = f"select rolpassword from pg_authid where rolname = 'r{number}'"
                found[name] = tools.psql(address, sql)
        finally:
            tools.stop(layout.pgdata)
    finally:
        layout.remove()
    return found


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_password_fits_what_postgres_stores(stored: dict[str, str], name: str) -> None:
    """Those that SASLprep rejects too: they are used as they are."""
    assert scram.fits(PASSWORDS[name], stored[name])
    assert not scram.fits(PASSWORDS[name] + "x", stored[name])
