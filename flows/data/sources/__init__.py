"""Where rows come from: files, Delta, databases, code of your own."""

from flows.data.sources.choose import columns_needed, from_anywhere, grows, name_of, source_of
from flows.data.sources.source import Source

__all__ = ["Source", "columns_needed", "from_anywhere", "grows", "name_of", "source_of"]
