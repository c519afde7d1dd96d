"""Rows to try a contract with: drawn by seeded chance, admitted by the row engine, broken on demand."""
