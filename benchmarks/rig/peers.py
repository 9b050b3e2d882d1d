"""The systems beside the router: how each is started, asked and understood."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rig import served
from rig.processes import Processes, free_ports, python

STOCK, TABLE = "BentoML, stock (array)", "BentoML, stock (DataFrame)"
FASTAPI, NGINX = "FastAPI, async", "nginx, constant"

NGINX_CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answer}'; }} }}
}}
"""


class Served(NamedTuple):
    """A system that answers: the process that it is, where to ask, what, and where the score is."""

    process: str
    url: str
    bodies: Path
    score: Callable[[Any], float]


class Bench(NamedTuple):
    """What a peer is started with."""

    processes: Processes
    folder: Path
    environments: Path | None

    def python(self, name: str) -> str | None:
        return interpreter(self.environments, name)

    def bodies(self, name: str, wrap: Callable[[list[float]], object]) -> Path:
        return served.write_bodies(self.folder / f"{name}.ndjson", [wrap(row) for row in served.asked()])


def _score(answer: Any) -> float:
    return float(answer["score"])


def _plain(bench: Bench) -> Path:
    return bench.bodies("plain", lambda row: {"features": row})


def bentoml_stock(bench: Bench) -> dict[str, Served]:
    (port,) = free_ports(1)
    words = ("serve", "bentoml_stock:Stock", "--host", "127.0.0.1", "--api-workers", "1", "--port", str(port))
    bench.processes.start("bentoml-stock", python("bentoml", *words))
    names = [f"f{place}" for place in range(served.WIDTH)]
    matrix = bench.bodies("matrix", lambda row: {"features": [row]})
    table = bench.bodies("table", lambda row: {"features": [dict(zip(names, row, strict=True))]})
    url = f"http://127.0.0.1:{port}"
    return {
        STOCK: Served("bentoml-stock", f"{url}/predict", matrix, lambda answer: float(answer[0][1])),
        TABLE: Served("bentoml-stock", f"{url}/table", table, lambda answer: float(answer[0][1])),
    }


def bentoml_async(bench: Bench) -> dict[str, Served]:
    (port,) = free_ports(1)
    words = ("serve", "bentoml_async:Async", "--host", "127.0.0.1", "--api-workers", "1", "--port", str(port))
    bench.processes.start("bentoml-async", python("bentoml", *words))
    url = f"http://127.0.0.1:{port}/predict"
    return {"BentoML, async, no access log": Served("bentoml-async", url, _plain(bench), _score)}


def fastapi(bench: Bench) -> dict[str, Served]:
    (port,), program = free_ports(1), bench.python("fastapi")
    if program is None:
        return {}
    words = ("-m", "uvicorn", "fastapi_both:app", "--no-access-log", "--host", "127.0.0.1", "--port", str(port))
    bench.processes.start("fastapi", [program, *words])
    paths = {FASTAPI: "async", "FastAPI, sync": "sync"}
    return {
        name: Served("fastapi", f"http://127.0.0.1:{port}/{path}", _plain(bench), _score)
        for name, path in paths.items()
    }


def litserve(bench: Bench) -> dict[str, Served]:
    (port,), program = free_ports(1), bench.python("litserve")
    if program is None:
        return {}
    bench.processes.start("litserve", [program, "-m", "litserve_one", str(port)])
    return {"LitServe": Served("litserve", f"http://127.0.0.1:{port}/predict", _plain(bench), _score)}


def ray(bench: Bench) -> dict[str, Served]:
    (port,), program = free_ports(1), bench.python("ray")
    if program is None:
        return {}
    bench.processes.start("ray", [program, "-m", "ray_one", str(port)])
    return {"Ray Serve": Served("ray", f"http://127.0.0.1:{port}/predict", _plain(bench), _score)}


def mlserver(bench: Bench) -> dict[str, Served]:
    ports, program = free_ports(3), bench.python("mlserver")
    if program is None:
        return {}
    folder = bench.folder / "mlserver"
    prepare(bench, program, "mlserver_folder", str(folder), *map(str, ports))
    bench.processes.start("mlserver", [str(Path(program).with_name("mlserver")), "start", str(folder)])
    bodies = bench.bodies("v2", _v2)
    url = f"http://127.0.0.1:{ports[0]}/v2/models/m/infer"
    return {"MLServer": Served("mlserver", url, bodies, lambda answer: float(answer["outputs"][0]["data"][1]))}


def _v2(row: list[float]) -> object:
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


def mlflow(bench: Bench) -> dict[str, Served]:
    (port,), program = free_ports(1), bench.python("mlflow")
    if program is None:
        return {}
    folder = bench.folder / "mlflow"
    prepare(bench, program, "mlflow_folder", str(folder))
    words = ("models", "serve", "-m", str(folder), "--env-manager", "local", "--workers", "1", "-h", "127.0.0.1")
    path = f"{Path(program).parent}:/usr/local/bin:/usr/bin:/bin"  # it starts `uvicorn` by that name
    bench.processes.start("mlflow", [program, "-m", "mlflow", *words, "-p", str(port)], PATH=path)
    bodies = bench.bodies("inputs", lambda row: {"inputs": [row]})
    url = f"http://127.0.0.1:{port}/invocations"
    return {"mlflow models serve": Served("mlflow", url, bodies, lambda answer: float(answer["predictions"][0][1]))}


def nginx(bench: Bench) -> dict[str, Served]:
    (port,), program = free_ports(1), shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        return {}
    answer = '{"prediction":1,"score":0.5,"variant":"champion","model_version":"v1.0.0","prediction_id":"0"}'
    conf = bench.folder / "nginx.conf"
    conf.write_text(NGINX_CONF.format(folder=bench.folder, port=port, answer=answer))
    bench.processes.start("nginx", [program, "-c", str(conf), "-e", str(bench.folder / "nginx-error.log")])
    return {NGINX: Served("nginx", f"http://127.0.0.1:{port}/predict", _plain(bench), lambda _: 0.5)}


PEERS: dict[str, Callable[[Bench], dict[str, Served]]] = {
    "bentoml-stock": bentoml_stock,
    "bentoml-async": bentoml_async,
    "fastapi": fastapi,
    "mlserver": mlserver,
    "ray": ray,
    "litserve": litserve,
    "mlflow": mlflow,
    "nginx": nginx,
}


def prepare(bench: Bench, program: str, module: str, *words: str) -> None:
    """Run a module of the peer's environment to its end."""
    bench.processes.start(module, [program, "-m", module, *words], role="prepare")
    bench.processes.finish(module)


def missing(environments: Path | None, wanted: Sequence[str]) -> list[str]:
    """Those of *wanted* that need an environment of their own, and have none."""
    own = ("fastapi", "mlserver", "ray", "litserve", "mlflow")
    return [name for name in wanted if name in own and interpreter(environments, name) is None]


def interpreter(environments: Path | None, name: str) -> str | None:
    """The interpreter of the peer's environment, if there is one."""
    found = environments / name / "bin" / "python" if environments else None
    return str(found) if found and found.exists() else None
