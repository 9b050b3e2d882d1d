"""A model server that takes its time."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
        time.sleep(self.server.seconds)
        raw = json.dumps({"predictions": [0.5] * len(rows)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


class SlowServer(ThreadingHTTPServer):
    """Answers `{"instances": [...]}` with halves, after so many seconds."""

    def __init__(self, seconds):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds, self.url = seconds, f"http://127.0.0.1:{self.server_port}/score"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
