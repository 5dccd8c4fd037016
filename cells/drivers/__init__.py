"""How messages get from one cell to the next: the drivers, and one sender per neighbour."""
