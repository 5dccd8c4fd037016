"""Everything that depends on private parts of oslo.messaging and kombu and changes their behavior, one module each.

Each patch checks whether the installed library has the parts that it uses, and an operator can switch it off.
:mod:`cells.transport.patches.registry` lists them all.
"""
