"""Tell people what happened, without ever getting in the way."""

from flows.notify.direct import settle
from flows.notify.messages import Message
from flows.notify.outbox import fingerprint, notice_of
from flows.notify.send import send_first
from flows.notify.tell import forward, tell_notice

__all__ = ["Message", "fingerprint", "forward", "notice_of", "send_first", "settle", "tell_notice"]
