"""Tests of walsup.archive.storage.s3."""
