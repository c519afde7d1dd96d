"""What an auditor asks: search the log, cut an excerpt, report who received a dataset, erase what is old."""
