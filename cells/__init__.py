"""Messages between cells: deployments with a broker and a database of their own.

Cells form a tree.  One ``cells-manager`` per cell holds the credentials of the
neighboring cells' brokers; every other service talks to the manager of its
own cell, which routes, relays and fans out.
"""
