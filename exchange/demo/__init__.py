"""The whole alliance on one machine: real processes, real data where there is some, and a story to watch."""
