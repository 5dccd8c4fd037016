"""Sphinx configuration of the documentation ("tox -e docs")."""

import sys
import warnings
from pathlib import Path

# A library of oslo.service imports eventlet if it is installed; the documentation does not use it.
warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

from oslo_service import backend  # noqa: E402  # after the filter

# autodoc imports oslo.messaging, which would select the eventlet back end of oslo.service.
backend.init_backend(backend.BackendType.THREADING)

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "cells"
author = "The cells authors"
copyright = author
extensions = [
    "sphinx.ext.autodoc",
    "oslo_config.sphinxext",
    "cliff.sphinxext",
    "cells_findings",
    "cells_metrics",
    "cells_versions",
    "man_links",
]
exclude_patterns = ["examples", "_ext"]
#: made from the parsers of the commands; "tox -e docs" builds them, too
man_pages = [
    ("reference/cells", "cells", "the tool of the operator of one cell", author, 1),
    ("reference/cells-manager", "cells-manager", "the daemon of a cell", author, 1),
    ("reference/cells-api", "cells-api", "the HTTP API of a cell", author, 1),
    ("reference/cells-status", "cells-status", "checks before an upgrade of a cell", author, 1),
]
html_theme = "furo"
html_title = "cells"
html_static_path = ["_static"]
html_css_files = ["pictures.css"]
html_show_sourcelink = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
