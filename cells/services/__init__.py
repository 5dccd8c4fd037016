"""Services of one cell that are called from another: what both ends agree on, and the end that calls them."""
