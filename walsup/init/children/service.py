"""A child that is started again when it dies: the agent, the engine's daemons."""

import os
import signal
import time

from walsup import log
from walsup.init.children import spawn
from walsup.pid1_messages import Launch
from walsup.units import backoff

_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 10.0
_SOUND_AFTER_S = 30.0


class Service:
    """One restarted child. `generation` 0 means that it must not run."""

    __slots__ = (
        "_due_s",
        "_failures",
        "_launch",
        "_started_s",
        "generation",
        "name",
        "pid",
        "restarts",
        "running_generation",
        "until_s",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 0
        self.generation = 0
        self.running_generation = 0
        self.restarts = 0
        self.until_s = float("inf")
        self._launch: Launch | None = None
        self._due_s = 0.0
        self._failures = 0
        self._started_s = 0.0

    def want(self, launch: Launch | None, generation: int, after_s: float = 0.0) -> None:
        """Ask for this launch. A running child of another generation is killed first."""
        self._launch = launch
        self.generation = generation if launch else 0
        self._failures = 0
        self._due_s = time.monotonic() + after_s
        if self.pid and self.running_generation != self.generation:
            self.kill()

    def left_s(self) -> float:
        """Return the seconds for which it may still run, by the clock of leases."""
        if not self.generation:
            return float("inf")
        return self.until_s - time.clock_gettime(time.CLOCK_BOOTTIME)

    def end_overdue(self) -> bool:
        """End it when its lease is over. This must not depend on the agent, which may hang."""
        if self.left_s() > 0:
            return False
        log.warning(f"{self.name}.lease_over", generation=self.generation)
        self.want(None, 0)
        return True

    def due_in(self, now_s: float) -> "float | None":
        """Return the seconds until a start is due, None when there is nothing to start."""
        if self.pid or not self.generation:
            return None
        return max(0.0, self._due_s - now_s)

    def start(self, *, inherit: "tuple[int, ...]" = (), **extra: str) -> None:
        """Start it now. `extra` is added to its environment. A failed fork counts as a death."""
        if self._launch is None:
            return
        environment = self._launch.environment | extra
        launch = Launch(self._launch.argv, environment, self._launch.cwd)
        self._started_s = time.monotonic()
        try:
            self.pid = spawn.spawn(launch, inherit=inherit)
        except OSError as fault:
            self._fail(problem=f"not started: {fault.strerror}")
            return
        self.running_generation = self.generation
        log.info(f"{self.name}.started", pid=self.pid, generation=self.generation)

    def ended(self, code: int) -> None:
        """Record its end. The next start waits longer after each early death."""
        replaced = self.running_generation != self.generation
        self.pid = 0
        self.running_generation = 0
        if replaced or not self.generation:
            log.info(f"{self.name}.stopped", by="walsup")
        else:
            self._fail(exit_code=code)

    def signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.pid:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once. It keeps nothing that would be lost."""
        self.signal(signal.SIGKILL)

    def _fail(self, **why: object) -> None:
        now_s = time.monotonic()
        if now_s - self._started_s > _SOUND_AFTER_S:
            self._failures = 0
        # The first restart is immediate: a killed process should be back at once.
        delay_s = backoff(self._failures, _FIRST_DELAY_S, _LONGEST_DELAY_S) if self._failures else 0
        self._failures += 1
        self._due_s = now_s + delay_s
        self.restarts += 1
        log.warning(f"{self.name}.died", **why, restart_in_s=round(delay_s, 2))
