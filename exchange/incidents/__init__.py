"""Denials that are logged, and the security events that the whole alliance sees."""
