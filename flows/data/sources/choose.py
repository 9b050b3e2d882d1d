"""The source that a configuration names."""

from pathlib import Path

from flows.config.data import is_database
from flows.config.model import ModelConfig
from flows.data.sources.address import Address
from flows.data.sources.code import PREFIX, Code
from flows.data.sources.delta import Delta, is_delta
from flows.data.sources.files import Files
from flows.data.sources.source import Source
from flows.data.sources.sql import Sql
from registry.addresses import without_passwords


def source_of(config: ModelConfig, chosen: str | None = None) -> Source | None:
    """
    Open what `data.source` names.

    Args:
        config: Names address, columns and times.
        chosen: Read from there instead, a path of files or of a Delta table.

    Returns:
        None if it names nothing: rows come from the router's log alone.

    Raises:
        DataError: If it cannot be opened.
    """
    said = chosen or config.data.source
    if said is None:
        return None
    if said.startswith(PREFIX):
        return Code(said)
    if is_database(said):
        return Sql(config.data, (*config.features.numeric, *config.data.kpis.values()))
    return Delta(said, config.data.time) if is_delta(said) else Files(said, config.data.time)


def grows(source: str | None) -> bool:
    """
    Whether a source is read again at every retraining.

    A database, a Delta table, a folder, a pattern and code of your own have new rows later; a Delta table with a
    version has another one when the configuration names it. A single file is kept as it was.
    """
    if source is None:
        return False
    if source.startswith(PREFIX) or is_database(source) or is_delta(source):
        return True
    return Path(source).is_dir() or (any(sign in source for sign in "*?[") and not Path(source).exists())


def name_of(source: str | None) -> str:
    """
    Name a source for people and records: without its password.

    Example:
        >>> name_of("postgresql://ann:secret@db/sales"), name_of(None)
        ('postgresql://ann@db/sales', 'log of the router')
    """
    if source is None:
        return "log of the router"
    return Address.of(source).shown if is_database(source) else without_passwords(source)


def from_anywhere(source: str) -> str:
    """
    Write a source so that it is found from every folder.

    Example:
        >>> from_anywhere("python:shop:store"), from_anywhere("/data/t.csv"), from_anywhere("sqlite:////data/t.db")
        ('python:shop:store', '/data/t.csv', 'sqlite:////data/t.db')
    """
    if source.startswith(PREFIX):
        return source
    if not is_database(source):
        return str(Path(source).expanduser().absolute())
    address = Address.of(source)
    return f"sqlite:///{Path(address.uri).expanduser().absolute()}" if address.scheme == "sqlite" else source


def columns_needed(config: ModelConfig) -> list[str]:
    """All columns that the configuration names, each once."""
    named = [*config.features.names, config.target, config.data.time, config.data.key, *config.data.kpis.values()]
    return list(dict.fromkeys(name for name in named if name is not None))
