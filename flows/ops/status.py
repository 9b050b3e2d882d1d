"""What runs, and how well."""

from flows.ops.health import ProcessStatus, SystemStatus, status

__all__ = ["ProcessStatus", "SystemStatus", "status"]
