"""Deleting a whole archive (S32), and nothing else: no other package deletes what is archived."""
