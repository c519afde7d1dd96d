"""The HJ 212 gateway: stations are registered, heard over TCP, answered; their data go to sources."""
