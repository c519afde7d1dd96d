"""How long evidence is kept beside the log, and how it is erased while every proof of the log still holds."""
