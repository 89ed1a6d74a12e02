"""Explains a failed login, or a statement without an answer, to the operator."""

from pathlib import Path

import asyncpg

from walsup.archive.faults import Fault, FaultKind
from walsup.postgres import superuser as superuser_file
from walsup.postgres.sql import session_interrupts


def login_fault(raised: BaseException, role: str, pgdata: Path) -> Fault:
    """Return the fault of a failed login or statement, with its remedy."""
    problem = f"{type(raised).__name__}: {raised}"
    meanwhile = "; archiving continues meanwhile, without a measured lag"
    setting, line = session_interrupts.setting_behind(str(raised))
    if setting:
        problem = f"{setting} ends or hinders the agent's session: {line}"
        return Fault(
            FaultKind.DATABASE_SETTING, problem, session_interrupts.remedy(setting) + meanwhile
        )
    match raised:
        case asyncpg.InvalidPasswordError():
            remedy = (
                f"give the password of {role} as WALSUP_PGPASSWORD_FILE, or add to pg_hba.conf,"
                f" above other local lines: local all {role} trust"
            )
        case asyncpg.InvalidAuthorizationSpecificationError() if other := _other_role(
            raised, role, pgdata
        ):
            remedy = other
        case asyncpg.InvalidAuthorizationSpecificationError():
            remedy = (
                f"add to pg_hba.conf, above other local lines: local all {role} trust"
                " (or set WALSUP_PGUSER to a superuser that can log in)"
            )
        case asyncpg.TooManyConnectionsError():
            remedy = (
                "raise max_connections, or end some sessions: the connections that are reserved for"
                " superusers are in use too"
            )
        case asyncpg.InvalidCatalogNameError():
            remedy = "create the database postgres: the agent and the engine connect to it"
        case _:
            remedy = "read postgres's own lines in this log"
    return Fault(kind=FaultKind.DATABASE_LOGIN, problem=problem, remedy=remedy + meanwhile)


def _other_role(raised: asyncpg.PostgresError, role: str, pgdata: Path) -> str:
    """Return the remedy when the role itself is what cannot log in, else ""."""
    # By the function: the text is in the language of lc_messages.
    if raised.server_source_function != "InitializeSessionUserId":
        return ""
    superuser = superuser_file.bootstrap_role(pgdata)
    if superuser is None or superuser == role:
        exists = role in superuser_file.roles(pgdata).values()
        return f'run: ALTER ROLE "{role}" LOGIN' if exists else ""
    return (
        f'set POSTGRES_USER to the superuser of this cluster, "{superuser}" (or WALSUP_PGUSER to'
        " another superuser that can log in)"
    )
