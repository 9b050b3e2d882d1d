"""Tell people what happened, without ever getting in the way."""

from flows.notify.messages import Message
from flows.notify.send import notify, settle

__all__ = ["Message", "notify", "settle"]
