"""Tests of walsup.agent.loops."""
