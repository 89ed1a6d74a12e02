"""Tests of walsup.archive.storage."""
