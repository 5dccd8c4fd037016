"""The commands of ``cells``, one noun per file; setup.cfg lists them under cells.cli.

cliff imports all of them to run one, or to print the help, so nothing that
takes long to load is imported at the top of a module here.
"""
