"""Changes to the behavior of libraries in this process, one module each."""
