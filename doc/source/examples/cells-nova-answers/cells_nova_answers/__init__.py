"""Example of a package of endpoints for the neighbors of Nova's cells service."""
