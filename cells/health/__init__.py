"""The health of a manager: alive, if its own threads make progress; ready, if messages get through.

A broker or database that is away makes a manager unready, and not dead: a restart would lose what the manager holds.
"""
