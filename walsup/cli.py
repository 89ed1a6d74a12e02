"""The command line but for `run`, which PID 1 is made of and which never loads this module."""

import asyncio
import json
import os
import sys
from typing import NoReturn

import click

from walsup import __version__, log, settings
from walsup.datadir import archive_subpath
from walsup.errors import InternalError, WalsupError
from walsup.redaction import redact_known


class _Commands(click.Group):
    """Commands whose bugs are logged and have their own exit code."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, OSError):
            raise  # click's own; a reader of the output that has ended
        except Exception as bug:  # noqa: BLE001 (the last resort of a process)
            log.unexpected("command.failed", bug, command=ctx.invoked_subcommand)
            _refuse(
                InternalError(
                    f"{type(bug).__name__}: {bug}",
                    hint="this is a bug in walsup: report the line above",
                )
            )


@click.group(cls=_Commands, epilog="`walsup run [arguments of postgres]` is what a container runs.")
@click.version_option(__version__)
def main() -> None:
    """Archive a PostgreSQL container's WAL to S3, and verify it there."""
    log.configure(os.environ.get("WALSUP_LOG_FORMAT", "auto").strip(), "cli")
    log.redact_with(redact_known)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print /status as JSON.")
def status(*, as_json: bool) -> None:
    """Show whether the database is protected; exit with 1 if it is not, 2 without an answer."""
    from walsup.agent.http.status import as_text  # noqa: PLC0415 (as above)
    from walsup.commands import agent_client  # noqa: PLC0415 (one command, one import)

    try:
        known = settings.load(os.environ)
    except WalsupError as fault:
        _refuse(fault)
    try:
        found = agent_client.status(known, os.environ)
    except (OSError, ValueError) as fault:
        click.echo(redact_known(f"no status: {fault}"), err=True)
        click.echo(
            "HINT: run it in the database's container, with its environment (PGDATA,"
            " WALSUP_RUN_DIR, WALSUP_HTTP), while walsup is running",
            err=True,
        )
        sys.exit(2)
    click.echo(json.dumps(found, indent=1) if as_json else as_text(found))
    sys.exit(0 if found["protected"] else 1)


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def adopt(*, yes: bool) -> None:
    """Let this data directory continue an archive that another copy of the cluster has owned."""
    from walsup.commands import adopt as adoption  # noqa: PLC0415 (one command, one import)

    try:
        known = archive_subpath.where(settings.load(os.environ))
        decided, words = adoption.find(known)
        click.echo(words)
        if not yes:
            click.confirm("Let this data directory continue that archive?", abort=True)
        adoption.decide(known, decided)
    except WalsupError as fault:
        _refuse(fault)
    click.echo("adopted; `walsup status` shows when archiving is enabled")


@main.command()
@click.option(
    "--confirm",
    "confirmed",
    metavar="NAME",
    help="Delete it. NAME is the name that the dry run shows.",
)
@click.option(
    "--even-if-fresh",
    is_flag=True,
    help="Delete it although it has no owner object and something was written within the last"
    " hour.",
)
def wipe(*, confirmed: str | None, even_if_fresh: bool) -> None:
    """Delete the whole archive permanently; without --confirm, show its contents.

    NAME is the whole prefix without the bucket, or the directory. It refuses while a database
    renews its lease on the archive; after an interruption, run it again to continue. Run it with
    the environment of the database's container.
    """
    from walsup.commands import wipe as wiping  # noqa: PLC0415 (one command, one import)

    def say(words: str) -> None:
        click.echo(words, err=True)

    try:
        known = archive_subpath.where(settings.load(os.environ))
        wanted = wiping.Wanted(known, even_if_fresh, say)
        if confirmed is None:
            click.echo(wiping.show(wanted))
        elif confirmed != wiping.name(known):
            raise click.BadParameter(
                f"{confirmed} is not the name of {known.archive}: nothing was deleted",
                param_hint="--confirm",
            )
        else:
            click.echo(wiping.carry_out(wanted))
    except WalsupError as fault:
        _refuse(fault)


@main.command()
@click.option(
    "--force",
    is_flag=True,
    help="Promote without complete replay; WAL that exists only in the archive is lost.",
)
@click.option("--wait", default=60.0, help="Seconds to wait for replay to reach the end.")
def promote(*, force: bool, wait: float) -> None:
    """Make this standby the primary when it has replayed the whole archive.

    It refuses while the archive cannot be read, is not replayed to its end, or has an owner that
    has renewed its lease within the last four leases. The archive is claimed first. With --force
    replay can be incomplete, and an archive that cannot be read is not claimed; an active owner
    is still refused. Run it in the standby's container, with its environment.
    """
    from walsup.commands import agent_client  # noqa: PLC0415 (one command, one import)
    from walsup.commands import promote as promotion  # noqa: PLC0415 (as above)

    try:
        known = archive_subpath.where(settings.load(os.environ))
        promotion.check(known)
        start = agent_client.start(known, os.environ)
        plan = promotion.Plan(
            force=force,
            wait_s=wait,
            boot=start.boot if start else None,
            run_dir=start.run_dir if start else None,
            ask=lambda: agent_client.status(known, os.environ),
            say=click.echo,
        )
        timeline = asyncio.run(promotion.run(known, plan))
    except WalsupError as fault:
        _refuse(fault)
    click.echo(f"promoted, on timeline {timeline}; `walsup status` shows when archiving is enabled")


@main.command()
@click.option("--check", is_flag=True, help="Check whether the configured restore would work.")
@click.option("--deep", is_flag=True, help="With --check: read all WAL that would be replayed.")
@click.option(
    "--list", "listed", is_flag=True, help="Show base backups, timelines and the restore window."
)
def restore(*, check: bool, deep: bool, listed: bool) -> None:
    """Examine the archive that would be restored; nothing is restored or written.

    To restore, start the container (`run`) with an empty data directory and WALSUP_RESTORE_FROM,
    or WALSUP_ON_EMPTY_PGDATA=restore for the database's own archive. Exit code 74: it would fail.
    """
    from walsup.commands import restore_check  # noqa: PLC0415 (one command, one import)

    if check == listed or (deep and not check):
        raise click.UsageError("use either --check (optionally with --deep) or --list")
    try:
        known = archive_subpath.where(settings.load(os.environ))
        words = restore_check.check(known, deep=deep) if check else restore_check.show(known)
    except WalsupError as fault:
        _refuse(fault)
    click.echo(words)


@main.command()
def run() -> None:
    """Run PostgreSQL with its archive, as PID 1 of a container (arguments go to postgres)."""
    raise AssertionError("__main__ takes `run` before this")


def _refuse(fault: WalsupError) -> NoReturn:
    click.echo(redact_known(str(fault)), err=True)
    sys.exit(fault.exit_code)
