"""Evidence as files that prove themselves offline: transfers, silence, excerpts, forks, reports."""
