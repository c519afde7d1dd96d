"""A policy tried before it decides: its own tests, cases that were agreed on, both engines, the past."""
