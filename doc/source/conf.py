"""How Sphinx builds the documentation ("tox -e docs")."""

import sys
import warnings
from pathlib import Path

# A library of oslo.service looks whether eventlet is there; nothing here uses it.
warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

from oslo_service import backend  # noqa: E402  # it is what looks

# Some modules import oslo.messaging, which would start oslo.service on eventlet.
backend.init_backend(backend.BackendType.THREADING)

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "cells"
author = "The cells authors"
copyright = author
extensions = ["sphinx.ext.autodoc", "oslo_config.sphinxext", "cliff.sphinxext", "cells_versions"]
exclude_patterns = ["examples", "_ext"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Messages between cells: each with a broker and a database of its own",
    "fixed_sidebar": True,
    "page_width": "1100px",
    "sidebar_width": "260px",
}
html_show_sourcelink = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
