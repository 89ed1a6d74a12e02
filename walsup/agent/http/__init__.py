"""Probes, metrics and the status: an HTTP server and the page of each path."""
