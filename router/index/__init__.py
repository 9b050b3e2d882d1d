"""The index: a read model of the event log, rebuildable from its segments."""
