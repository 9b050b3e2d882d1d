"""Tables: files, Delta, databases, the router's log, and one shape for all."""

from flows.data.files import read_table
from flows.data.history import Origin, history, save_seed
from flows.data.live import live_frame
from flows.data.prepare import prepare
from flows.data.rows import feature_rows

__all__ = ["Origin", "feature_rows", "history", "live_frame", "prepare", "read_table", "save_seed"]
