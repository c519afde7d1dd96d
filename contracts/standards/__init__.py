"""What national standards make of measured values: air quality index and limits, the class of water.

Pure arithmetic on decimal numbers, each function in the edition of its standard that is named.
"""
