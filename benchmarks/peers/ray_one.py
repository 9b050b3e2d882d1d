"""Ray Serve with one replica; the port is the argument."""

import os
import sys
import time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray import serve
from rig import served
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=1000)
class One:
    def __init__(self) -> None:
        self.model = served.pipeline()

    async def __call__(self, request: Request) -> dict[str, float]:
        return {"score": served.score(self.model, (await request.json())["features"])}


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, object_store_memory=100 << 20)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(sys.argv[1])}, logging_config={"enable_access_log": False}
    )
    serve.run(One.bind(), route_prefix="/predict")
    while True:
        time.sleep(60)
