"""Files in which the supervisor keeps what it knows of each process."""

from flows.ops.watchers import book, watchers
from registry.home import Settings


def test_what_the_shadow_has_read_is_kept_beside_what_is_known_of_its_process():
    settings = Settings()
    books = {book(settings, watcher.name) for watcher in watchers(settings)}

    assert settings.run_dir.absolute() / "shadow.json" in books
    assert settings.shadow_position.absolute() not in books
