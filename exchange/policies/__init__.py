"""Access policies in force: who changed them, what they decided, and what they would decide."""
