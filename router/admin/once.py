"""A change that is sent again under the same key is one change."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from router.errors import BadRequest

_REMEMBERED = 1024


class Once:
    """
    Answers by `Idempotency-Key`.

    A key holds for as long as this process lives, and for the newest 1,024 keys. A change that was refused
    did not happen, so that its key is free again.
    """

    def __init__(self) -> None:
        self._done: OrderedDict[str, tuple[bytes, asyncio.Future[Response]]] = OrderedDict()

    async def __call__(self, key: str, body: bytes, change: Callable[[], Awaitable[Response]]) -> Response:
        """
        Make the change, or repeat its answer.

        Raises:
            BadRequest: If the key came before with another body.
        """
        digest = hashlib.sha256(body).digest()
        known = self._done.get(key)
        if known is not None:
            if known[0] != digest:
                raise BadRequest(
                    "Nothing was changed.", "Its Idempotency-Key came before with another body.", "Use a new key."
                )
            return _again(await asyncio.shield(known[1]))
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._done[key] = digest, answer
        try:
            answer.set_result(await change())
        except BaseException as error:
            del self._done[key]
            answer.set_exception(error)
            answer.exception()  # told to the caller; whoever waits for the same hears it, too
            raise
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        return answer.result()


def _again(first: Response) -> Response:
    return Response(bytes(first.body), first.status_code, {"idempotent-replay": "true"}, first.media_type)
