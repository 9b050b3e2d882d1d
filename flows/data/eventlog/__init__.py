"""The event log as Parquet tables: compaction, retention, and what there is."""
