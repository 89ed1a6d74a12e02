"""Tests of walsup.commands."""
