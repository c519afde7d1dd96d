"""Duties: how each kind of obligation is met before bytes leave, and the evidence that it was."""
