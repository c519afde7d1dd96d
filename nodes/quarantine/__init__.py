"""Rejected rows: kept with every reason, worked through by people, and never lost in between."""
