"""Tests of walsup.archive.catalog."""
