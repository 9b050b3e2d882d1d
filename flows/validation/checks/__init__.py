"""One file per thing that is looked at."""
