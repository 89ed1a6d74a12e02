"""Tests of walsup.agent.http."""
