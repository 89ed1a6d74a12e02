"""Tests of walsup."""
