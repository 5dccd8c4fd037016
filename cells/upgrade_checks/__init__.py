"""Checks of the configuration and the database of a cell that need no manager and no broker."""

from cells.upgrade_checks.checks import Neighbors, Result, UpgradeChecks

__all__ = ["Neighbors", "Result", "UpgradeChecks"]
