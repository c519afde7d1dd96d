"""What the parties agree on: names, shapes, errors, bytes. Pure: no file, no network, no clock."""
