"""Tests of walsup.archive.wipe."""
