"""A failed login names what helps against it."""

from pathlib import Path

import asyncpg
import pytest

from walsup.agent.database_login import login_fault
from walsup.archive.faults import FaultKind

NOWHERE = Path("/nonexistent")


@pytest.mark.parametrize(
    ("raised", "remedy"),
    [
        (asyncpg.InvalidPasswordError("no"), "WALSUP_PGPASSWORD_FILE"),
        (asyncpg.InvalidAuthorizationSpecificationError("no"), "local all keeper trust"),
        (asyncpg.TooManyConnectionsError("no"), "max_connections"),
        (asyncpg.InvalidCatalogNameError("no"), "create the database postgres"),
        (TimeoutError(), "postgres's own lines"),
    ],
)
def test_each_refusal_has_a_remedy_of_its_own(raised: Exception, remedy: str) -> None:
    """And all of them say that archiving does not depend on it."""
    fault = login_fault(raised, "keeper", NOWHERE)
    assert fault.kind == FaultKind.DATABASE_LOGIN
    assert remedy in fault.remedy
    assert "archiving continues meanwhile" in fault.remedy


def test_a_role_that_cannot_log_in_is_told_from_a_rule_that_does_not_let_it_in() -> None:
    """By the server's function: no rule of pg_hba.conf helps a role that does not exist."""
    raised = asyncpg.InvalidAuthorizationSpecificationError("no")
    raised.server_source_function = "InitializeSessionUserId"
    assert "local all keeper trust" in login_fault(raised, "keeper", NOWHERE).remedy


def test_a_setting_that_ends_the_session_is_named() -> None:
    """It is no login that fails then."""
    raised = asyncpg.QueryCanceledError("canceling statement due to statement timeout")
    fault = login_fault(raised, "keeper", NOWHERE)
    assert fault.kind == FaultKind.DATABASE_SETTING
    assert "statement_timeout" in fault.problem
