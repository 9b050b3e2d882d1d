"""The section `detection` of a configuration: one file for each of its parts."""
