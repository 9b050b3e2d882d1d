"""Write what MLServer needs to serve the fitted pipeline by its own runtime; arguments: the folder, three ports."""

import json
import sys
from pathlib import Path

import joblib
from rig import served

if __name__ == "__main__":
    folder, (http, grpc, metrics) = Path(sys.argv[1]), map(int, sys.argv[2:5])
    folder.mkdir()
    joblib.dump(served.pipeline(), folder / "model.joblib")
    settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    settings |= {"parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": "m", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}
    (folder / "model-settings.json").write_text(json.dumps(model))
