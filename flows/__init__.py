"""Prefect flows, the command line and everything that thinks slowly."""
