"""Certificates of cells: neighbors register them, commands make them, and direct links check them.

A certificate is data here: nothing of this package opens a connection.
"""
