"""WSGI applications by the names under which other servers load them."""
