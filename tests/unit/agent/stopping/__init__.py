"""Tests of walsup.agent.stopping."""
