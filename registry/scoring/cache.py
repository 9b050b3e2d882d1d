"""Where compiled kernels are kept between starts."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = "kernels"


@contextmanager
def kept_in(source: str) -> Iterator[dict[str, Any]]:
    """
    Name the options under which numba keeps what is compiled here; without a folder it keeps nothing.

    numba looks beside the source and in the home folder only, and fails where neither can
    be written, as in a container with a read-only root.

    Args:
        source: File whose functions are compiled; another content has another folder.
    """
    import numba

    folder = cache_folder(Path(source), os.environ)
    if folder is None:
        yield {}
        return
    former, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)  # type: ignore[attr-defined]
    try:
        yield {"cache": True}
    finally:
        numba.config.CACHE_DIR = former  # type: ignore[attr-defined]


def prepare(kernel: Any, *arguments: Any) -> None:
    """
    Call a kernel for the first time; compile it anew if what is kept cannot be read or written.

    A disk may be full, or a file torn by a loss of power; neither is a reason not to serve.
    """
    try:
        kernel(*arguments)
    except Exception:  # noqa: BLE001 (numba lets through whatever pickle or the disk raise; the second call tells)
        from numba.core.caching import NullCache

        kernel._cache = NullCache()
        kernel(*arguments)


def cache_folder(source: Path, environ: Mapping[str, str]) -> Path | None:
    """
    Choose the first folder that can be written by us, and by nobody else.

    In this order: `NUMBA_CACHE_DIR`, beside the source, the state folder
    (`UNDERSTUDY_HOME`, or `.understudy` in the home folder).
    """
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    own = [Path(environ["NUMBA_CACHE_DIR"])] if environ.get("NUMBA_CACHE_DIR") else []
    bases = [*own, source.parent / "__pycache__", _state_folder(environ)]
    return next((folder for base in bases if _usable(folder := base / f"{FOLDER}-{digest}")), None)


def _state_folder(environ: Mapping[str, str]) -> Path:
    given = environ.get("UNDERSTUDY_HOME")
    return (Path(given) if given else Path("~/.understudy")).expanduser() / "cache"


def _usable(folder: Path) -> bool:
    """Whether kernels may be written there, and read from there: they are code that will run."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
        found = folder.stat()
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return False
    return os.name == "nt" or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
