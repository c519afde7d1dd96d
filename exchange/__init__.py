"""The broker: members, catalogue, agreements, grants, transfers, incidents, and the alliance's log."""
