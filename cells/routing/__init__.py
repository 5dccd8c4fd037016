"""The routing of messages: send, receive, forward, run in this cell, and reply.

The manager sends through the router; drivers hand received messages to it.
"""
