"""Sources that are read again and again: rows land in a spool, durable, and releases are made from it."""
