"""The commands of ``cells``, one noun per file; setup.cfg lists them under cells.cli.

cliff imports every command to run one of them or to print the help. So the
modules here import slow libraries (SQLAlchemy, oslo.messaging, pyzmq) inside functions.
"""
