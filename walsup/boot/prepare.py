"""Prepare, a one-shot fork of PID 1: settings → plan → data directory → launches."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from walsup import log, settings
from walsup.archive.engine.adapter import Engine, choose
from walsup.archive.engine.capabilities import unheeded
from walsup.archive.faults import Fault
from walsup.boot import inspect, permissions, plan, postgres_launch, recovery_phase, staging
from walsup.boot.current_settings import Current
from walsup.boot.existing_cluster import socket_directories
from walsup.boot.existing_cluster.directory_settings import operators_gucs
from walsup.boot.fork_guard import guarded
from walsup.boot.handover import Handover
from walsup.datadir import archive_subpath
from walsup.pid1_messages import Send
from walsup.postgres import standby_signal
from walsup.settings import Settings
from walsup.settings.checks import guessable

# The official image's words, which users search for.
_SKIPPING = "PostgreSQL Database directory appears to contain a database; Skipping initialization"
# The agent's imports take a core for half a second: postgres must be up first.
_HEAD_START_S = 0.1


def prepare(arguments: list[str], lock: int, send: Send) -> int:
    """Make the data directory ready and send the launches to PID 1; return an exit code."""
    return guarded(
        lambda redacted: Prepare(settings.load(os.environ), arguments, lock, redacted).run(), send
    )


class Prepare:
    """One start of a container, up to the launches: five phases that build on each other."""

    def __init__(
        self, configured: Settings, arguments: Sequence[str], lock: int, send: Send
    ) -> None:
        """`arguments` are postgres's. Children inherit the file descriptor `lock`."""
        self._configured_archive = configured.archive
        self._arguments = list(arguments)
        self._lock = lock
        self._run_dir = Path(os.environ["WALSUP_RUN_DIR"])
        self._current = Current(archive_subpath.where(configured), os.environ)
        self._hand = Handover(self._current, self._run_dir, os.urandom(16).hex(), send)

    @property
    def _settings(self) -> Settings:
        """Return the settings, with the current secrets and the archive where it continues."""
        return self._current.known

    def run(self) -> None:
        """Go through the phases.

        Raises:
            WalsupError: postgres must not be started.
        """
        found = self._inspect()
        engine = self._choose_engine()
        found = recovery_phase.taken_for(self._settings, found, self._hand)
        agent_runs = not isinstance(found, (plan.Cluster, plan.Broken))
        if agent_runs:
            # Making a data directory may take hours, in which the agent answers the probes.
            self._hand.write_agent_file()
            self._hand.launch_agent()
        self._carry_out(self._decide(found), found)
        self._launch(engine, agent_runs=agent_runs)

    def _inspect(self) -> plan.Found:
        """Phase 1: check the settings, and inspect the data directory."""
        _warn(self._settings)
        pgdata = self._settings.pgdata
        gucs = operators_gucs(pgdata, self._arguments)
        socket_directories.check_length(self._run_dir, socket_directories.LONGEST_RUN_DIR_BYTES)
        permissions.check_mode(pgdata)
        permissions.check_linked(pgdata)
        return inspect.look(pgdata, config_elsewhere="config_file" in gucs)

    def _choose_engine(self) -> Engine | Fault | None:
        """Phase 2: choose the engine. With a fault instead of one the database runs unprotected."""
        if not self._settings.archive:
            return None
        engine = choose(self._settings, os.environ.get("PATH", ""))
        if isinstance(engine, Fault):
            log.error(engine.kind.replace(" ", "."), problem=engine.problem, remedy=engine.cure)
            return engine
        for warning in unheeded(self._settings, engine.name):
            log.warning("setting.unheeded", problem=warning)
        return engine

    def _decide(self, found: plan.Found) -> plan.Plan:
        """Phase 3: decide what to do; for an empty data directory, by what the archive holds."""
        archived = hindrance = None
        wish = plan.Wish(
            self._settings.on_empty_pgdata,
            restores=self._settings.restore_from is not None,
            pod=standby_signal.ordinal(os.environ.get("HOSTNAME", "")),
        )
        if plan.needs_archive(found):
            from walsup.boot.new_cluster import preconditions  # noqa: PLC0415 (not for every start)

            hindrance = preconditions.hindrance(self._settings, os.environ)
            if self._settings.archive and hindrance is None:
                archived = self._ask_archive()
                wish = wish._replace(moved=self._settings.archive != self._configured_archive)
        if not isinstance(found, (plan.Cluster, plan.Broken)):
            wish = wish._replace(standby=recovery_phase.follows(self._settings, archived))
        known = self._settings
        return plan.decide(
            found,
            binaries_major=inspect.binaries_major(
                inspect.program("postgres", known.pg_bindir, os.environ.get("PATH", ""))
            ),
            archived=archived,
            may_create=bool(known.postgres_password or known.app_user)
            or known.postgres_host_auth_method == "trust",
            wish=wish,
            hindrance=hindrance,
        )

    def _ask_archive(self) -> str | None:
        """Return a key of a cluster in the archive, None: it holds none."""
        from walsup.boot.new_cluster.archive_check import ask_archive  # noqa: PLC0415 (h11, ssl: when it matters)

        self._current.move_archive(self._configured_archive)
        answer = ask_archive(self._current, self._hand.send)
        self._current.move_archive(answer.archive)
        return answer.archived

    def _carry_out(self, decided: plan.Plan, found: plan.Found) -> None:
        """Phase 4: make the data directory ready, as decided.

        Raises:
            WalsupError: the plan is a refusal, or the directory cannot be made.
        """
        pgdata = self._settings.pgdata
        match decided:
            case plan.Refuse(error=error):
                raise error
            case (
                plan.Bootstrap()
                | plan.BootstrapBeside()
                | plan.RestoreFromArchive()
                | plan.Follow()
            ):
                from walsup.boot.create import make  # noqa: PLC0415 (not for every start)

                make(decided, self._hand, self._lock, self._arguments)
            case plan.Recover():
                log.info("restore.resumed", message="the recovery of a restored copy continues")
            case plan.Finish():
                log.info(
                    "bootstrap.finished",
                    message="a complete new data directory is moved into place",
                )
                staging.finish(pgdata)
            case plan.StartPostgres():
                log.info("bootstrap.skipped", message=_SKIPPING)
                self._hand.continues = True
                staging.remove_leftover(pgdata)
                if isinstance(found, plan.Cluster):
                    permissions.make_room(pgdata / "pg_wal", found.control.segment_size)
            case _:
                assert_never(decided)

    def _launch(self, engine: Engine | Fault | None, *, agent_runs: bool) -> None:
        """Phase 5: launch postgres, and the agent unless it runs already."""
        if agent_runs:
            self._hand.move()
        else:
            self._hand.write_agent_file()
        postgres_launch.launch(self._hand, engine, self._arguments)
        if not agent_runs:
            self._hand.launch_agent(_HEAD_START_S)


def _warn(known: Settings) -> None:
    """Log settings that are odd but no reason to refuse the start."""
    for warning in known.warnings:
        log.warning("setting.unknown", problem=warning)
    for problem in guessable.problems(known):
        log.warning("setting.guessable", problem=problem, hint="choose another password or key")
    for note in known.foreign:
        log.warning("setting.foreign", problem=note)
    for problem in known.source_faults:
        log.warning("setting.of_source", problem=problem)
