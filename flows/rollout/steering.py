"""Hold a rollout, let it go on, take its next step, end it; the router does the same when it is asked."""

from registry.steering import Steered, abort, pause, resume, skip

__all__ = ["Steered", "abort", "pause", "resume", "skip"]
