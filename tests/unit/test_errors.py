"""The refusals, their codes and their text."""

import pytest

from walsup.errors import TABLE, InternalError, SettingsError, WalsupError, exit_code_rows

PUBLISHED = {
    "ContractError": 1,
    "SettingsError": 64,
    "DataDirectoryError": 65,
    "VersionError": 66,
    "LockedError": 67,
    "PermissionsError": 68,
    "ProgramMissingError": 69,
    "BootstrapError": 70,
    "ArchiveNotEmptyError": 71,
    "DiskFullError": 72,
    "EngineError": 73,
    "ArchiveError": 74,
    "InternalError": 75,
}


def test_codes_never_change() -> None:
    """A code that was published keeps its meaning for ever."""
    assert {error.__name__: error.exit_code for error in TABLE} == PUBLISHED


def test_every_error_is_in_the_table() -> None:
    """No subclass can be raised that docs/reference/exit-codes.md does not show."""
    assert set(WalsupError.__subclasses__()) == set(TABLE)


@pytest.mark.parametrize("error", TABLE[1:])
def test_codes_are_free_for_use(error: type[WalsupError]) -> None:
    """No code can be mistaken for one of a shell, a container runtime or postgres."""
    assert error.exit_code in range(64, 114)


def test_text_is_problem_and_hint() -> None:
    """An error reads like PostgreSQL's own."""
    error = SettingsError('PORT "x" is not a number', hint="Set it to 5432.")
    assert str(error) == 'PORT "x" is not a number\nHINT: Set it to 5432.'
    assert (error.problem, error.hint) == ('PORT "x" is not a number', "Set it to 5432.")


def test_a_bare_error_counts_as_a_bug() -> None:
    """An error without a class of its own still has a code."""
    assert WalsupError("lost", hint="Report it.").exit_code == InternalError.exit_code


@pytest.mark.parametrize("code", ["0", "126", "127", "131", "137", "128+n", "64", "75"])
def test_rows_name_every_code(code: str) -> None:
    """The reference has each code once, with a meaning."""
    rows = [row for row in exit_code_rows() if row[0] == code]
    assert len(rows) == 1
    assert rows[0][2]
