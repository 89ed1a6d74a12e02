"""Real containers for the tests: docker's daemon, images made here, S3 in a box of its own."""

from dev.containers.box import PASSWORD, PGDATA, Box
from dev.containers.client import DockerError, docker
from dev.containers.daemon import Daemon
from dev.containers.s3 import S3Box

__all__ = ["PASSWORD", "PGDATA", "Box", "Daemon", "DockerError", "S3Box", "docker"]
