"""Tests of walsup.archive.ownership."""
