"""A worked example of a package that brings endpoints."""
