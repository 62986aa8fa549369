"""The proxy of SECURITY.md, before two stand-ins for the app, and before two of the app."""

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from websockets.sync.client import connect

from benchmarks.server import serve_app
from compression.studies import Store
from compression.studies.store import FITS

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


@contextlib.contextmanager
def run_proxy(folder, ports):
    """Address of nginx with the shipped configuration before these ports of this machine.

    Without TLS, since there is no name here; answers say which port they are from.
    """
    if (program := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        reason = "there is no nginx on the PATH"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    shipped = re.search(r"```nginx\n(.*?)```", text, re.DOTALL).group(1)
    for named, upstream in zip(UPSTREAMS, ports, strict=True):
        assert named in shipped
        shipped = shipped.replace(named, f"127.0.0.1:{upstream}")
    assert "listen 443 ssl;" in shipped
    shipped = shipped.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    own = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}\n"
        f"http {{ access_log off; add_header From-Port $upstream_addr;\n{own}{shipped}}}\n"
    )
    check = [program, "-p", folder, "-e", folder / "log", "-c", file]
    subprocess.run([*check, "-t"], check=True, capture_output=True)
    running = subprocess.Popen(check)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)


@pytest.fixture
def proxy(tmp_path):
    """nginx before two stand-ins."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), StandIn) for _ in UPSTREAMS]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with run_proxy(tmp_path, [server.server_port for server in servers]) as address:
        yield address
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


QUERY = "dataset=iris&model=softmax_regression"
SEEN = (
    "reference",
    "low_rank_curve",
    "constrained_curve",
)  # tasks of which a first picture is made
PAGE_SECONDS = 90


class Visitor:
    """Somebody at an address of their own who opens the app through the proxy."""

    def __init__(self, address, number):
        self._place = urllib.parse.urlsplit(address)
        self._number = number  # of the network that nginx knows them by

    def ask_port(self):
        """Port of the process that answers, by what the proxy says."""
        connection = http.client.HTTPConnection(
            self._place.hostname, self._place.port, source_address=self._source()
        )
        connection.request("GET", "/_stcore/health")
        answer = connection.getresponse()
        assert answer.read() == b"ok"
        return int(answer.headers["From-Port"].rpartition(":")[2])

    def open_page(self, until):
        """Run Compare once, and again each second, until its messages or the store are enough."""
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        end, drawn = time.monotonic() + PAGE_SECONDS, 0
        line = socket.create_connection(
            (self._place.hostname, self._place.port), source_address=self._source()
        )
        where = f"ws://{self._place.netloc}/_stcore/stream"
        with connect(where, sock=line, subprotocols=["streamlit"], max_size=None) as stream:
            while not until(drawn):
                assert time.monotonic() < end, drawn
                asked = BackMsg()
                asked.rerun_script.query_string = QUERY
                stream.send(asked.SerializeToString())
                with contextlib.suppress(TimeoutError):
                    while not until(drawn):
                        said = ForwardMsg()
                        said.ParseFromString(stream.recv(timeout=1))
                        element = said.delta.new_element
                        drawn += element.WhichOneof("type") == "plotly_chart"
        return drawn

    def _source(self):
        return (f"127.0.{self._number}.1", 0)


def count_found(store, since):
    """How many of the tasks were kept, or looked up and found, after a moment."""
    table = store.table()
    names = " ".join(table["name"][table["used_at"] > since])
    return sum(name in names for name in SEEN)


def test_two_processes_behind_the_proxy_share_what_either_has_computed(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with (
        serve_app(store=url, log=tmp_path / "first.txt") as first,
        serve_app(store=url, log=tmp_path / "second.txt") as second,
    ):
        ports = [int(each.address.rpartition(":")[2]) for each in (first, second)]
        with run_proxy(tmp_path, ports) as address:
            ask(f"{address}/_stcore/health")
            visitors = {}
            for number in range(64):
                visitor = Visitor(address, number)
                visitors.setdefault(visitor.ask_port(), visitor)
            assert set(visitors) == set(ports)
            store = Store(url)
            visitors[ports[0]].open_page(lambda drawn: count_found(store, 0) == len(SEEN))
            # Who looks something up marks it; who computes it again leaves what is there.
            store.write(lambda each: each.execute(FITS.update().values(used_at=0.0)))
            visitors[ports[1]].open_page(lambda drawn: drawn >= 2)
            assert count_found(store, 0) == len(SEEN)
            assert visitors[ports[1]].ask_port() == ports[1]
            store.close()
