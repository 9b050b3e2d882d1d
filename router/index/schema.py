"""Tables of the index and how it is opened."""

import sqlite3
from pathlib import Path

VERSION = 4
BLOCK = 16_384
_CACHE_KIB = 128 << 10
_CHECKPOINT_PAGES = 16_000
Dirty = tuple[str, str, int]
"""Model, phase, and block of the log in which something of that phase changed."""
_DROP = "".join(
    f"DROP TABLE IF EXISTS {name};"
    for name in ("segments", "predictions", "outcomes", "parked", "aside", "shadows", "counts", "summaries")
)
# The id of an outcome is NULL where it is what prediction and metric make of it; see identity.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS segments (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS predictions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL, model TEXT NOT NULL, key TEXT, time REAL NOT NULL, features BLOB NOT NULL,
    assigned TEXT NOT NULL, served TEXT NOT NULL, assigned_version TEXT NOT NULL, version TEXT NOT NULL,
    epoch INTEGER NOT NULL, phase TEXT NOT NULL, enrolled INTEGER NOT NULL, reason TEXT NOT NULL,
    score REAL, prediction REAL, latency_ms REAL NOT NULL, error TEXT, failed INTEGER NOT NULL,
    place INTEGER NOT NULL, shadows TEXT NOT NULL, weight INTEGER,
    UNIQUE (model, id)
);
CREATE INDEX IF NOT EXISTS predictions_by_phase ON predictions (model, phase);
CREATE INDEX IF NOT EXISTS predictions_by_key ON predictions (model, key, time);
CREATE TABLE IF NOT EXISTS outcomes (
    seq INTEGER NOT NULL, metric TEXT NOT NULL, value REAL NOT NULL, time REAL NOT NULL, model TEXT NOT NULL, id TEXT,
    PRIMARY KEY (seq, metric)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS outcomes_by_id ON outcomes (model, id) WHERE id IS NOT NULL;
CREATE TABLE IF NOT EXISTS parked (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL, model TEXT NOT NULL, prediction_id TEXT, key TEXT, metric TEXT NOT NULL,
    value REAL NOT NULL, time REAL NOT NULL,
    UNIQUE (model, id)
);
CREATE INDEX IF NOT EXISTS parked_by_prediction ON parked (model, prediction_id) WHERE prediction_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS parked_by_key ON parked (model, key, time) WHERE key IS NOT NULL;
CREATE TABLE IF NOT EXISTS aside (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL, model TEXT NOT NULL, prediction_id TEXT, key TEXT, metric TEXT NOT NULL,
    value REAL NOT NULL, time REAL NOT NULL, why TEXT NOT NULL,
    UNIQUE (model, id)
);
CREATE TABLE IF NOT EXISTS shadows (
    id TEXT NOT NULL, version TEXT NOT NULL, model TEXT NOT NULL,
    score REAL, prediction REAL, latency_ms REAL NOT NULL, dropped TEXT, error TEXT,
    PRIMARY KEY (model, id, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (seq INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, at REAL NOT NULL,
    kind TEXT NOT NULL, said TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counts (model TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (model, name)) WITHOUT ROWID;
"""
# Made where it is missing: it holds nothing that could not be computed again.
_SUMMARIES = """
CREATE TABLE IF NOT EXISTS summaries (model TEXT NOT NULL, phase TEXT NOT NULL, version INTEGER NOT NULL,
    document BLOB NOT NULL, PRIMARY KEY (model, phase)) WITHOUT ROWID
"""


def block_of(sequence: int) -> int:
    """Rows of the log are read, kept and forgotten in blocks."""
    return sequence // BLOCK


def open_index(path: Path) -> sqlite3.Connection:
    """Open for the one writer; a killed one leaves it as it last committed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # rebuildable: the segments are the truth
    # Ids come in no order: their index must fit in memory, and a page that changed often is written back once.
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        # Of another version of ours, or new: read the segments from their beginning. Notes are nowhere else; they stay.
        connection.executescript(f"BEGIN IMMEDIATE; {_DROP} {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")
    connection.execute(_SUMMARIES)
    return connection


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open for a reader; OperationalError while the index does not exist."""
    connection = sqlite3.connect(
        f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=1
    )
    connection.row_factory = sqlite3.Row
    return connection
