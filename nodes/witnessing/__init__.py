"""What this node does for all: it cosigns, keeps a mirror, asks the others, and watches the log."""
