"""Completeness: subscription heads, what nodes counted, and the comparison that shows an omission."""
