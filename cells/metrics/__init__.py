"""Numbers about a manager for Prometheus, and the HTTP listener that serves them with the pages about its health.

The numbers are read from the state of the manager when they are asked for: nothing here runs for a message.
"""
