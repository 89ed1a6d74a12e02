"""Tests of walsup.settings."""
