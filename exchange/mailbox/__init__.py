"""Reverse HTTP: the exchange reaches a node through the long poll that the node opens."""
