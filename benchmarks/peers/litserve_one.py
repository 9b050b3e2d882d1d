"""LitServe with one worker and one API server; the port is the argument."""

import sys
from typing import Any

import litserve
from rig import served


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - its interface
        self.model = served.pipeline()

    def decode_request(self, request: dict[str, Any]) -> list[float]:
        return request["features"]

    def predict(self, features: list[float]) -> float:
        return served.score(self.model, features)

    def encode_response(self, score: float) -> dict[str, float]:
        return {"score": score}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, log_level="warning", generate_client_file=False
    )
