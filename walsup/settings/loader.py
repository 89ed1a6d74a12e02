"""Reading the settings from variables, NAME_FILE and WALSUP_SECRETS_DIR, all faults at once."""

import os
import types
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from walsup.errors import SettingsError
from walsup.redaction import publish, remember
from walsup.settings import amazon_hosts, parsers, restore_source
from walsup.settings.checks import misspelt_names
from walsup.settings.checks.directory_overlap import overlaps
from walsup.settings.checks.restore_rules import faults_of_restore
from walsup.settings.checks.standby_rules import faults_of_role
from walsup.settings.compat.detect import KUBEDB_SECRETS, THEIR_NAMES, Translation
from walsup.settings.parsers import ArchiveUrl, FileArchive, HttpAddress
from walsup.settings.refusal import BOTH_SET, refusal
from walsup.settings.result import Result
from walsup.settings.schema import Settings, declared, defaults, is_secret, with_fields
from walsup.settings.secret_files import SettingText, in_directory, names_in, secret_file
from walsup.system import default_pgdata, stop_grace
from walsup.system.setting_text import clean, cut, fault_in

PASSED_ON = ("WALG_", "AWS_", "S3_", "WALE_", "YC_")
_JSON = ("{", "[")  # which may have several lines
_CA_DATA = "CA_CERT_DATA"  # KubeDB's name for the file itself

_KNOWN = {row.name: row for row in declared()}
_ALIASES = {alias: name for name, row in _KNOWN.items() for alias in row.aliases}
_NAMES = [*_KNOWN, *_ALIASES]
_OTHER_STORES = tuple(
    f"{owner}_{store}_PREFIX"
    for owner in ("WALG", "WALE")
    for store in ("FILE", "GS", "AZ", "SWIFT", "SSH")
    if (owner, store) != ("WALG", "FILE")
)
_PRIMARY = "WALSUP_PRIMARY_CONNINFO"
# Whose readers say what is wrong without the value.
_SHOWS_NO_VALUE = (_PRIMARY, *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
_NOT_OF_A_SOURCE = tuple(
    f"WALSUP_{of}" for of in ("RESTORE_", "ON_EMPTY_", "ROLE", "PRIMARY_", "REPLICATION_")
)
_OF_A_SOURCE = tuple(name for name in _KNOWN if not name.startswith(_NOT_OF_A_SOURCE))


def load(environ: Mapping[str, str]) -> Settings:
    """Read everything, from variables, NAME_FILE and WALSUP_SECRETS_DIR.

    Raises:
        SettingsError: all faults at once, a line each. Those of a source's keys and
            endpoint alone are left to the caller that needs it: an existing database does not.
        ContractError: POSTGRES_… and its _FILE are both set, and that is all.
    """
    environ, theirs = _in_our_names(clean(environ))
    wrong = misspelt_names.faults(environ, _NAMES)
    found = _load(environ, _KNOWN, theirs._replace(faults=(*theirs.faults, *wrong)))
    remember(found.secrets)
    publish(_public(found))
    return found


def _public(found: Settings) -> tuple[str, ...]:
    """Return the names that a text shows in clear, though a password may be the same."""
    sources = _public(found.source) if found.source else ()
    own = (found.postgres_user, found.postgres_db, found.app_user, found.pguser)
    others = (found.replication_user, found.access_key_id, found.region)
    archive = str(found.archive or "").split("/")
    return tuple(text for text in (*own, *others, *archive, *sources) if text)


def _load(environ: Mapping[str, str], wanted: Collection[str], theirs: Translation) -> Settings:
    """Read the settings that are wanted; the source of a restore has none of a restore."""
    secrets_dir = environ.get("WALSUP_SECRETS_DIR") or ""
    # A file that is not read is no reason to refuse a start, or new keys during a run.
    named = names_in(secrets_dir)
    files = in_directory(secrets_dir, _is_wanted)
    gathered = {name: _gather(name, environ, files.value) for name in wanted}
    texts = {name: one.value for name, one in gathered.items()}
    hidden = (name for name in wanted if _KNOWN[name].secret and name != _PRIMARY)
    remember(one.text for name in hidden for one in texts[name])
    parsed = _parse(texts)
    passed_on = _passed_on(environ, files.value)
    given = {name for name in wanted if _is_given(name, texts, environ)}
    complete = _complete(parsed.value, environ, texts, given)
    settings = complete.value
    source = _source(settings, environ)
    other_stores = [
        f"{name}: this version archives to S3 and to directories; set WALSUP_ARCHIVE to"
        " s3://bucket/prefix or file:///directory"
        for name in _OTHER_STORES
        if passed_on.value.get(name)
    ]
    faults = (
        *theirs.faults,
        *files.faults,
        *(fault for one in gathered.values() for fault in one.faults),
        *parsed.faults,
        *passed_on.faults,
        *complete.faults,
        *faults_of_restore(settings, {name for name, one in texts.items() if one}),
        *faults_of_role(settings),
        *other_stores,
    )
    if faults:
        raise refusal([*faults, *source.faults])
    return settings._replace(
        passed_on=types.MappingProxyType(passed_on.value),
        warnings=tuple(misspelt_names.warnings(named | dict(environ), _NAMES)),
        foreign=theirs.notes,
        no_new_cluster=theirs.no_new_cluster,
        source=source.value,
        source_faults=source.faults,
    )


def _parse(texts: Mapping[str, Sequence[SettingText]]) -> Result[Settings]:
    """Read each setting's first text; what is not given or not valid keeps its default."""
    values: dict[str, object] = {}
    faults: list[str] = []
    for name, spellings in texts.items():
        if not spellings:
            continue
        source, text = spellings[0]
        if wrong := fault_in(name, text):
            faults.append(f"{source}: {wrong}")
            continue
        row = _KNOWN[name]
        try:
            values[row.field] = row.read(text)
        except ValueError as fault:
            hides = row.secret and name not in _SHOWS_NO_VALUE
            shown = "its value is not valid" if hides else str(fault)
            faults.append(f"{source}: {shown}")
    return Result(with_fields(defaults(), values), tuple(faults))


def _passed_on(
    environ: Mapping[str, str], files: Mapping[str, SettingText]
) -> Result[Mapping[str, str]]:
    """Return the engine's own settings, which are passed on to it as they are."""
    texts = {name: found.text for name, found in files.items()} | dict(environ)
    texts = {name: text for name, text in texts.items() if _is_passed_on(name)}
    remember(text for name, text in texts.items() if is_secret(name))
    faults = (
        f"{files[name].source if name in files and name not in environ else name}: {wrong}"
        for name, text in texts.items()
        if not text.startswith(_JSON) and (wrong := fault_in(name, text))
    )
    return Result(texts, tuple(faults))


def _source(settings: Settings, environ: Mapping[str, str]) -> Result[Settings | None]:
    """Return the settings with which the source of a restore is read, or their faults."""
    if not (place := settings.restore_from):
        return Result(None)
    try:
        source = restore_source.environment(environ, str(place))
        return Result(_load(source, _OF_A_SOURCE, Translation()))
    except SettingsError as wrong:
        lines = wrong.problem.splitlines()[1:]
        return Result(None, tuple(f"of the restore's source:{line}" for line in lines))


def http(environ: Mapping[str, str]) -> HttpAddress:
    """Return where HTTP answers, also when something else of the settings is wrong."""
    text = cut("WALSUP_HTTP", environ.get("WALSUP_HTTP", ""))
    try:
        return parsers.http(text) if text else defaults().http
    except ValueError:
        return defaults().http


def _in_our_names(environ: Mapping[str, str]) -> tuple[Mapping[str, str], Translation]:
    """Return the environment with others' names translated, and what is to be said about them."""
    theirs = any(name.startswith(THEIR_NAMES) for name in environ) or default_pgdata.whose(environ)
    if not theirs and not os.path.isdir(KUBEDB_SECRETS):  # noqa: PTH112 (as cheap as it can be)
        return environ, Translation()
    from walsup.settings.compat import translation  # noqa: PLC0415 (only where their names are)

    found = translation.translate(environ)
    kept = {name: text for name, text in environ.items() if name not in found.consumed}
    return {**kept, **found.ours}, found


def relevant(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that `load` reads, for a 0600 file that children read."""
    environ, _ = _in_our_names(clean(environ))
    return {
        name: text
        for name, text in environ.items()
        if _is_owned(name)
        or name == stop_grace.IN_KUBERNETES
        or name.startswith(("WALSUP_", *PASSED_ON, *restore_source.OWN))
    }


def _is_owned(name: str) -> bool:
    plain = name.removesuffix("_FILE")
    return any(spelling in _KNOWN or spelling in _ALIASES for spelling in (name, plain))


def _is_wanted(name: str) -> bool:
    return name in _KNOWN or name in _ALIASES or name.startswith(PASSED_ON)


def _is_passed_on(name: str) -> bool:
    # AWS_WEB_IDENTITY_TOKEN_FILE is the engine's: no setting of ours is in it.
    return name.startswith(PASSED_ON) and not _is_owned(name)


def _is_given(
    name: str, texts: Mapping[str, Sequence[SettingText]], environ: Mapping[str, str]
) -> bool:
    """Return whether a setting is there at all, readable or not."""
    spellings = (name, *_KNOWN[name].aliases)
    return bool(texts[name]) or any(environ.get(f"{spelling}_FILE") for spelling in spellings)


def _gather(
    name: str, environ: Mapping[str, str], files: Mapping[str, SettingText]
) -> Result[Sequence[SettingText]]:
    """Return where a setting is set and its text, the one that counts first."""
    row = _KNOWN[name]
    spellings = (name, *row.aliases)
    found: list[SettingText] = []
    faults: list[str] = []
    for spelling in spellings:
        text = environ.get(spelling, "")
        path = environ.get(f"{spelling}_FILE", "")
        if path and row.environment_only:
            faults.append(f"{spelling}_FILE: {spelling} is read from the environment only")
        elif text and path:
            faults.append(f"{spelling} and {spelling}_FILE{BOTH_SET}")
        elif path:
            text, wrong = secret_file(spelling, path)
            faults += wrong
        if text:
            found.append(SettingText(f"{spelling}_FILE" if path else spelling, text))
    if not found:
        found = [files[spelling] for spelling in spellings if spelling in files]
        if found and row.environment_only:
            faults.append(f"{found[0].source}: {name} is read from the environment only")
    faults += [
        f"{found[0].source} and {other.source} differ: keep one of them"
        for other in found[1:]
        if other.text != found[0].text
    ]
    return Result(found, tuple(faults))


def _complete(
    settings: Settings,
    environ: Mapping[str, str],
    texts: Mapping[str, Sequence[SettingText]],
    given: AbstractSet[str],
) -> Result[Settings]:
    """Add what follows from the environment and other values; find what does not go together."""
    settings = settings._replace(pgdata=Path(default_pgdata.chosen(environ)))
    if texts["WALSUP_STOP_GRACE"]:
        settings = settings._replace(push_grace_s=settings.stop_grace_s)
    else:
        settings = settings._replace(stop_grace_s=stop_grace.default_s(environ))
    if not texts["WALSUP_CA_FILE"] and (ca := _ca_in(environ.get("WALSUP_SECRETS_DIR") or "")):
        settings = settings._replace(ca_file=ca)
    host = (settings.endpoint or "").partition("://")[2].partition(":")[0].lower()
    bucket = settings.archive.bucket if isinstance(settings.archive, ArchiveUrl) else ""
    if region := amazon_hosts.region_in(host):
        settings = settings._replace(region=settings.region or region)
    if amazon_hosts.is_usual(host, bucket):
        settings = settings._replace(endpoint=None)
    elif "AWS_ENDPOINT" in given and not region:
        settings = settings._replace(region=settings.region or "us-east-1")
    faults: list[str] = []
    if isinstance(settings.archive, FileArchive):
        names = ("PGDATA", "POSTGRES_INITDB_WALDIR", "WALSUP_RUN_DIR")
        faults += overlaps(
            settings.archive, {name: getattr(settings, _KNOWN[name].field) for name in names}
        )
    if ("AWS_ACCESS_KEY_ID" in given) != ("AWS_SECRET_ACCESS_KEY" in given):
        faults.append("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: set both or neither")
    return Result(settings, tuple(faults))


def _ca_in(directory: str) -> Path | None:
    """Return the file of CA certificates in the secrets directory; its content is not secret."""
    path = os.path.join(directory, _CA_DATA)  # noqa: PTH118 (Path raises where one may not look)
    return Path(path) if directory and os.path.isfile(path) else None  # noqa: PTH113
