"""Calls of services in other cells: the request and answer formats of both ends, and the end that makes the call."""
