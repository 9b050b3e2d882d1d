"""Tables: files, the router's log, and one shape for both."""

from flows.data.files import read_table
from flows.data.history import history, save_seed
from flows.data.live import live_frame
from flows.data.prepare import prepare
from flows.data.rows import feature_rows

__all__ = ["feature_rows", "history", "live_frame", "prepare", "read_table", "save_seed"]
