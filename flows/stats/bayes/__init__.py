"""How sure is the challenger to be better? A side view, never the verdict."""
