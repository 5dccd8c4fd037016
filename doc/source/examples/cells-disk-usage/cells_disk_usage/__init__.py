"""Example of a package with endpoints."""
