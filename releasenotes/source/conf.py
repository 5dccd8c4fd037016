"""Sphinx configuration of the release notes ("tox -e releasenotes")."""

project = "cells release notes"
author = "The cells authors"
copyright = author
extensions = ["reno.sphinxext"]
html_theme = "alabaster"
