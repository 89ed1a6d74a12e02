"""Every kind of refusal, with the person that must act and the exit code.

Loaded in PID 1, so it imports nothing. The codes never change their meaning; they keep out of
126 to 165, where shells and container runtimes put "not found" and "killed by signal n". One is
the official image's: what runs that image may look for it.
"""


class WalsupError(Exception):
    """A refusal: what is wrong, with the value, and what to do about it."""

    exit_code: int = 75
    who: str = "developer of walsup"

    def __init__(self, problem: str, *, hint: str) -> None:
        """Keep `problem` (lower case, with the value) and `hint` (what to do)."""
        super().__init__(problem)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        """Return PostgreSQL's form of a message."""
        return f"{self.problem}\nHINT: {self.hint}"


class ContractError(WalsupError):
    """A new cluster has no password, or NAME and NAME_FILE are both set."""

    exit_code = 1
    who = "operator: the environment"


class SettingsError(WalsupError):
    """An environment variable or a secret file is wrong, missing or misspelt."""

    exit_code = 64
    who = "operator: the environment"


class DataDirectoryError(WalsupError):
    """The data directory is damaged, or another instance has become the primary."""

    exit_code = 65
    who = "operator: the volume, or nothing: a restart gets the new role"


class VersionError(WalsupError):
    """The data directory belongs to another major version of PostgreSQL."""

    exit_code = 66
    who = "operator: the image's tag"


class LockedError(WalsupError):
    """Another process holds the data directory."""

    exit_code = 67
    who = "operator: the other container"


class PermissionsError(WalsupError):
    """Permission denied on a directory or file."""

    exit_code = 68
    who = "operator: owner and mode of the volume"


class ProgramMissingError(WalsupError):
    """A program other than postgres is missing: the engine, initdb, timeout."""

    exit_code = 69
    who = "builder of the image"


class BootstrapError(WalsupError):
    """Creating a new cluster failed: initdb, or a script."""

    exit_code = 70
    who = "operator: initdb's arguments"


class ArchiveNotEmptyError(WalsupError):
    """The data directory is empty, but the archive contains a cluster."""

    exit_code = 71
    who = "operator: restore it, or choose another prefix"


class DiskFullError(WalsupError):
    """The disk is full, or too small for the restore."""

    exit_code = 72
    who = "operator: the volume's size"


class EngineError(WalsupError):
    """The engine failed, or does not support a setting."""

    exit_code = 73
    who = "operator: the engine's output above"


class ArchiveError(WalsupError):
    """The archive cannot be reached, denies access or lacks WAL; or a lease was not renewed."""

    exit_code = 74
    who = "operator: the bucket and its credentials"


class InternalError(WalsupError):
    """A bug in walsup."""

    exit_code = 75
    who = "developer of walsup"


TABLE: tuple[type[WalsupError], ...] = (
    ContractError,
    SettingsError,
    DataDirectoryError,
    VersionError,
    LockedError,
    PermissionsError,
    ProgramMissingError,
    BootstrapError,
    ArchiveNotEmptyError,
    DiskFullError,
    EngineError,
    ArchiveError,
    InternalError,
)


def exit_code_rows() -> tuple[tuple[str, str, str], ...]:
    """Return the rows of docs/reference/exit-codes.md: code, name, meaning."""
    return (
        ("0", "", "Stopped cleanly on request."),
        ("1, 2, 3 …", "", "postgres exited on its own with this code."),
        *(
            (str(error.exit_code), error.__name__, f"{error.__doc__} ({error.who})")
            for error in TABLE
        ),
        ("126", "", "postgres is not executable."),
        ("127", "", "postgres is missing."),
        ("131", "", "postgres was stopped by SIGQUIT before it had completed its shutdown."),
        ("137", "", "postgres was killed by SIGKILL: the stop took too long, or memory ran out."),
        ("128+n", "", "postgres was killed by signal n."),
    )
