"""One link per neighbor: its send queue, its sending thread, and the set of all links.

Routing leaves outgoing messages here and never waits for a broker.
"""
