"""Benchmarks: each figure stands beside the plain limit measured in the same run, and is printed as a ratio.

``make bench`` runs them all; ``python -m benchmarks append`` runs one. Nothing here is a test.
"""
