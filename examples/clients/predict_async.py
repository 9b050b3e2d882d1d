"""The same within an event loop: `python examples/clients/predict_async.py`."""

# ruff: noqa: T201 - examples print

import asyncio
import os

from router.client import AsyncClient


async def main() -> None:
    """Ask ten times at once, and tell the truth of each."""
    async with AsyncClient(os.environ.get("ROUTER", "http://127.0.0.1:3000"), timeout=2.0) as router:
        asked = [
            router.predict("leads", {"age": 20 + n, "visits": n, "channel": "search"}, key=f"lead-{n}")
            for n in range(10)
        ]
        answers = await asyncio.gather(*asked)
        print(sum(answer.prediction or 0 for answer in answers), "of", len(answers), "will buy")
        told = await asyncio.gather(
            *[router.outcome("leads", 1, prediction_id=answer.prediction_id) for answer in answers]
        )
        print(all(status.kept for status in told))


asyncio.run(main())
