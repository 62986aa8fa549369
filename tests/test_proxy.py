"""The proxy of SECURITY.md, in front of two stand-ins for the app: each session stays with one."""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UPSTREAMS = ("127.0.0.1:8501", "127.0.0.1:8502")


class StandIn(BaseHTTPRequestHandler):
    """Answers with its own port and the headers that a WebSocket needs."""

    def do_GET(self):
        names = ("Host", "Upgrade", "Connection")
        said = f"{self.server.server_port} " + " ".join(self.headers[name] or "-" for name in names)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def proxy(tmp_path):
    """Address of nginx with the shipped configuration; without TLS, since there is no name here."""
    if (program := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        reason = "there is no nginx on the PATH"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), StandIn) for _ in UPSTREAMS]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    shipped = re.search(r"```nginx\n(.*?)```", text, re.DOTALL).group(1)
    for named, server in zip(UPSTREAMS, servers, strict=True):
        assert named in shipped
        shipped = shipped.replace(named, f"127.0.0.1:{server.server_port}")
    assert "listen 443 ssl;" in shipped
    shipped = shipped.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    own = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = tmp_path / "nginx.conf"
    file.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}}\n"
        f"http {{ access_log off;\n{own}{shipped}}}\n"
    )
    check = [program, "-p", tmp_path, "-e", tmp_path / "log", "-c", file]
    subprocess.run([*check, "-t"], check=True, capture_output=True)
    running = subprocess.Popen(check)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)
        for server in servers:
            server.shutdown()


def ask(address, **headers):
    """The answer, as soon as nginx listens."""
    for wait in range(100):
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
                return answer.read().decode().split()
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.05 * (1 + wait // 20))
    raise AssertionError("nginx does not answer")


def test_the_documented_proxy_keeps_a_visitor_with_one_process_and_hides_what_is_ours(proxy):
    answers = [ask(proxy, Upgrade="websocket", Host="compress.example.org") for _ in range(8)]
    assert len({port for port, *_ in answers}) == 1
    assert answers[0][1:] == ["compress.example.org", "websocket", "upgrade"]
    for hidden in ("health", "metrics", "_stcore/metrics"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask(f"{proxy}/{hidden}")
