"""Declared emergencies: time-boxed, heard of by everybody, and reviewed afterwards."""
