"""Remote versions: an upstream HTTP model server that answers like any other version."""
