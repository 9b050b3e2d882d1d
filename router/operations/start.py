"""
How a worker starts: tied to its parent before anything else, then BentoML's own program.

It takes seconds until BentoML makes the service. A parent that is killed meanwhile would
leave workers behind that hold the port, and keep callers waiting who connect to it.
"""

from router.parent import die_with_parent

if __name__ == "__main__":
    die_with_parent()

    from _bentoml_impl.worker.service import main  # type: ignore[import-untyped]

    main()
