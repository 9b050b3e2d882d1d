"""Refusals of the router."""

from registry.errors import Refusal


class RouterError(Refusal):
    """Catch this to survive anything that the router refuses."""


class BadRequest(RouterError):
    """A body that cannot be answered; nothing was predicted or kept."""

    status = 422


class Malformed(BadRequest):
    """A body that is no JSON, or not of the documented shape."""

    status = 400


class TooLarge(BadRequest):
    """A body over the limit."""

    status = 413


class UnknownModel(RouterError):
    """A model without a plan on this router."""

    status = 404


class NotServed(RouterError):
    """A model that has a plan, and whose plan or artifact this router has refused."""

    status = 503
