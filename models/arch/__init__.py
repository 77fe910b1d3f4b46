"""One file an architecture, imported by name."""
