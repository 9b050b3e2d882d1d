"""Make a challenger: tune, validate over time, fold into a scorer, register."""

import os

# Read once, when OpenMP loads: waiting threads must not burn the neighbours' time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
