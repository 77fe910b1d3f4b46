"""Synthetic performers: footage with known truth, for the demo and the tests."""
