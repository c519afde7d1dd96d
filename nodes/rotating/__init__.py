"""This node's own keys, how they are replaced and revoked, and what they signed."""
