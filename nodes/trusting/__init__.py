"""Whom this node believes: directory, trust root, revocations, shards, and the log as it was seen."""
