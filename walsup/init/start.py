"""The start: lock the data directory, become the database's user, and prepare in a fork."""

import time

from walsup.errors import LockedError
from walsup.init import data_directory
from walsup.init.children.prepare_process import PrepareProcess
from walsup.init.root import handover
from walsup.init.root.secret_files import SecretFiles
from walsup.system.prctl import hide_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.init.children.prepare_process import Prepare
    from walsup.init.early_settings import EarlySettings
    from walsup.init.log_pipe import LogService
    from walsup.init.state_file import StateFile

_WAITS_FOR_LOCK = "waiting for another process to release the data directory"


class Start:
    """Everything before postgres runs.

    `examine` runs as root before the directory of another user is given away, `prepare` as the
    database's user. Both run in a fork. `lock`: the descriptor that postgres inherits.
    """

    __slots__ = (
        "_arguments",
        "_began_s",
        "_examine",
        "_examines",
        "_prepare",
        "_settings",
        "lock",
        "process",
    )

    def __init__(
        self,
        settings: "EarlySettings",
        arguments: "list[str]",
        prepare: "Prepare",
        examine: "Prepare | None",
    ) -> None:
        self._settings = settings
        self._arguments = arguments
        self._prepare = prepare
        self._examine = examine
        self._examines = False
        self._began_s = time.monotonic()
        self.process = PrepareProcess()
        self.lock = -1

    def open_directories(self) -> None:
        """Create missing directories, and open the data directory.

        Raises:
            WalsupError: they cannot be used.
        """
        data_directory.make_directories(self._settings.pgdata, self._settings.run_dir)
        self.lock = data_directory.open_data_directory(self._settings.pgdata)

    def claim(self, now_s: float, state_file: "StateFile") -> str:
        """Lock both directories; return what this waits for, empty once they are locked.

        Raises:
            LockedError: another process has used one of them for too long.
        """
        pgdata = self._settings.pgdata
        if not data_directory.try_lock(self.lock):
            if now_s - self._began_s > data_directory.LOCK_PATIENCE_S:
                raise data_directory.locked_error(pgdata, self.lock)
            return _WAITS_FOR_LOCK
        if not state_file.is_ours():
            raise LockedError(
                f"another walsup uses the run directory {self._settings.run_dir}",
                hint="give each instance its own WALSUP_RUN_DIR; nothing has been touched",
            )
        return ""

    def begin(self, log_service: "LogService") -> None:
        """Start the first fork."""
        if self._examine and handover.gives_away(self._settings.pgdata):
            self._examines = True
            self.process.start(self._examine, self._arguments, self.lock)
        else:
            self._begin_prepare(log_service)

    def goes_on(self, code: int, log_service: "LogService") -> bool:
        """Return whether another fork follows the one that ended with this exit code."""
        if not self._examines or code:
            return False
        self._examines, self.process = False, PrepareProcess()
        self._begin_prepare(log_service)
        return True

    def _begin_prepare(self, log_service: "LogService") -> None:
        secrets = SecretFiles()
        secrets.read()
        handover.take_over(self._settings.pgdata, self._settings.waldir)
        hide_memory()  # the change of uid has made it readable again
        secrets.keep(self._settings.run_dir)
        data_directory.clear_stale_pid(self._settings.pgdata)
        log_service.open()
        self.process.start(self._prepare, self._arguments, self.lock)
