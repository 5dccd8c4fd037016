"""Messages between cells: deployments that each have their own broker and database.

Cells form a tree.  In each cell one daemon, ``cells-manager``, holds the credentials of the
neighboring cells' brokers.  Every other service sends to the manager of its own cell, which
routes and forwards calls, casts and broadcasts.
"""
