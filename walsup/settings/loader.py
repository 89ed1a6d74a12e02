"""Reading the settings from variables, NAME_FILE and WALSUP_SECRETS_DIR, all faults at once."""

import os
import types
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from walsup.errors import SettingsError
from walsup.redaction import publish, remember
from walsup.settings import amazon_hosts, misspelt_names, restore_source
from walsup.settings.compat_detect import KUBEDB_SECRETS, THEIR_NAMES, Translation
from walsup.settings.directory_overlap import overlaps
from walsup.settings.parsers import ArchiveUrl, FileArchive, HttpAddress
from walsup.settings.refusal import BOTH_SET, refusal
from walsup.settings.restore_rules import faults_of_restore
from walsup.settings.schema import Settings, declared, is_secret
from walsup.settings.secret_files import SettingText, in_directory, names_in, secret_file
from walsup.settings.standby_rules import faults_of_role
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
    faults = list(theirs.faults)
    # A file that is not read is no reason to refuse a start, or new keys during a run.
    named = names_in(environ.get("WALSUP_SECRETS_DIR") or "")
    files = in_directory(environ.get("WALSUP_SECRETS_DIR") or "", _is_wanted, faults)
    given = {name: _gather(name, environ, files, faults) for name in wanted}
    hidden = (name for name in wanted if _KNOWN[name].secret and name != _PRIMARY)
    remember(one.text for name in hidden for one in given[name])
    values: dict[str, Any] = {row.field: row.default for row in declared()}
    for name, found in given.items():
        if not found:
            continue
        if wrong := fault_in(name, found[0].text):
            faults.append(f"{found[0].source}: {wrong}")
            continue
        row = _KNOWN[name]
        try:
            values[row.field] = row.read(found[0].text)
        except ValueError as fault:
            hides = row.secret and name not in _SHOWS_NO_VALUE
            shown = "its value is not valid" if hides else str(fault)
            faults.append(f"{found[0].source}: {shown}")
    values["pgdata"] = Path(default_pgdata.chosen(environ))
    if given["WALSUP_STOP_GRACE"]:
        values["push_grace_s"] = values["stop_grace_s"]
    else:
        values["stop_grace_s"] = stop_grace.default_s(environ)
    if not given["WALSUP_CA_FILE"] and (ca := _ca_in(environ.get("WALSUP_SECRETS_DIR") or "")):
        values["ca_file"] = ca
    passed_on = {name: found.text for name, found in files.items()} | dict(environ)
    passed_on = {name: text for name, text in passed_on.items() if _is_passed_on(name)}
    remember(text for name, text in passed_on.items() if is_secret(name))
    faults += [
        f"{files[name].source if name in files and name not in environ else name}: {wrong}"
        for name, text in passed_on.items()
        if not text.startswith(_JSON) and (wrong := fault_in(name, text))
    ]
    _complete(values, {name for name in wanted if _is_given(name, given, environ)}, faults)
    given_names = {name for name, found in given.items() if found}
    faults += faults_of_restore(values, given_names)
    faults += faults_of_role(values)
    of_source, source_faults = _source(values, environ)
    faults += [
        f"{name}: this version archives to S3 and to directories; set WALSUP_ARCHIVE to"
        " s3://bucket/prefix or file:///directory"
        for name in _OTHER_STORES
        if passed_on.get(name)
    ]
    if faults:
        raise refusal([*faults, *source_faults])
    return Settings(
        **values,
        passed_on=types.MappingProxyType(passed_on),
        warnings=tuple(misspelt_names.warnings(named | dict(environ), _NAMES)),
        foreign=theirs.notes,
        no_new_cluster=theirs.no_new_cluster,
        source=of_source,
        source_faults=source_faults,
    )


def _source(
    values: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[Settings | None, tuple[str, ...]]:
    """Return the settings with which the source of a restore is read, or their faults."""
    if not (place := values["restore_from"]):
        return None, ()
    try:
        return _load(
            restore_source.environment(environ, str(place)), _OF_A_SOURCE, Translation()
        ), ()
    except SettingsError as wrong:
        lines = wrong.problem.splitlines()[1:]
        return None, tuple(f"of the restore's source:{line}" for line in lines)


def http(environ: Mapping[str, str]) -> HttpAddress:
    """Return where HTTP answers, also when something else of the settings is wrong."""
    row = _KNOWN["WALSUP_HTTP"]
    text = cut(row.name, environ.get(row.name, ""))
    try:
        found: Any = row.read(text) if text else row.default
    except ValueError:
        found = row.default
    address: HttpAddress = found
    return address


def _in_our_names(environ: Mapping[str, str]) -> tuple[Mapping[str, str], Translation]:
    """Return the environment with others' names translated, and what is to be said about them."""
    theirs = any(name.startswith(THEIR_NAMES) for name in environ) or default_pgdata.whose(environ)
    if not theirs and not os.path.isdir(KUBEDB_SECRETS):  # noqa: PTH112 (as cheap as it can be)
        return environ, Translation()
    from walsup.settings import compat  # noqa: PLC0415 (only where their names are)

    found = compat.translate(environ)
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
    name: str, given: Mapping[str, list[SettingText]], environ: Mapping[str, str]
) -> bool:
    """Return whether a setting is there at all, readable or not."""
    spellings = (name, *_KNOWN[name].aliases)
    return bool(given[name]) or any(environ.get(f"{spelling}_FILE") for spelling in spellings)


def _gather(
    name: str, environ: Mapping[str, str], files: Mapping[str, SettingText], faults: list[str]
) -> list[SettingText]:
    """Return where a setting is set and its text, the one that counts first."""
    row = _KNOWN[name]
    spellings = (name, *row.aliases)
    set_: list[SettingText] = []
    for spelling in spellings:
        text = environ.get(spelling, "")
        path = environ.get(f"{spelling}_FILE", "")
        if path and row.environment_only:
            faults.append(f"{spelling}_FILE: {spelling} is read from the environment only")
        elif text and path:
            faults.append(f"{spelling} and {spelling}_FILE{BOTH_SET}")
        elif path:
            text = secret_file(spelling, path, faults)
        if text:
            set_.append(SettingText(f"{spelling}_FILE" if path else spelling, text))
    if not set_:
        set_ = [files[spelling] for spelling in spellings if spelling in files]
        if set_ and row.environment_only:
            faults.append(f"{set_[0].source}: {name} is read from the environment only")
    faults += [
        f"{set_[0].source} and {other.source} differ: keep one of them"
        for other in set_[1:]
        if other.text != set_[0].text
    ]
    return set_


def _complete(values: dict[str, Any], given: set[str], faults: list[str]) -> None:
    """Add what follows from other values, and find what does not go together."""
    host = str(values.get("endpoint") or "").partition("://")[2].partition(":")[0].lower()
    archive = values.get("archive")
    bucket = archive.bucket if isinstance(archive, ArchiveUrl) else ""
    if region := amazon_hosts.region_in(host):
        values["region"] = values["region"] or region
    if amazon_hosts.is_usual(host, bucket):
        values["endpoint"] = None
    elif "AWS_ENDPOINT" in given and not region:
        values["region"] = values["region"] or "us-east-1"
    if isinstance(archive, FileArchive):
        names = ("PGDATA", "POSTGRES_INITDB_WALDIR", "WALSUP_RUN_DIR")
        faults += overlaps(archive, {name: values.get(_KNOWN[name].field) for name in names})
    if ("AWS_ACCESS_KEY_ID" in given) != ("AWS_SECRET_ACCESS_KEY" in given):
        faults.append("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: set both or neither")


def _ca_in(directory: str) -> Path | None:
    """Return the file of CA certificates in the secrets directory; its content is not secret."""
    path = os.path.join(directory, _CA_DATA)  # noqa: PTH118 (Path raises where one may not look)
    return Path(path) if directory and os.path.isfile(path) else None  # noqa: PTH113
