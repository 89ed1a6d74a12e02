"""The one reader of the environment and of secret files."""

from walsup.settings.loader import http, load, relevant
from walsup.settings.parsers import ArchiveUrl, FileArchive, HttpAddress
from walsup.settings.restore_source import origin
from walsup.settings.schema import Settings, declared, is_secret

__all__ = [
    "ArchiveUrl",
    "FileArchive",
    "HttpAddress",
    "Settings",
    "declared",
    "http",
    "is_secret",
    "load",
    "origin",
    "relevant",
]
