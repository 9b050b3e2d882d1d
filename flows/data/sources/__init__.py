"""Where rows come from: files, Delta, databases, code of your own."""

from flows.data.sources.choose import columns_needed, grows, source_of
from flows.data.sources.source import Source

__all__ = ["Source", "columns_needed", "grows", "source_of"]
