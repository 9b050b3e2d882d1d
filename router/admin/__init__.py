"""The admin port: who may ask, what is shown, what is changed."""

from router.admin.app import admin_app

__all__ = ["admin_app"]
