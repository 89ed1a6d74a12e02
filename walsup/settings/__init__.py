"""The one reader of the environment and of secret files."""

from walsup.settings.load import http, load, relevant
from walsup.settings.source import origin
from walsup.settings.table import Settings, declared, is_secret
from walsup.settings.values import ArchiveUrl, FileArchive, HttpAddress

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
