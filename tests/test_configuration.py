"""What the shipped configuration makes of the README's run command."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from benchmarks.server import ROOT, read_commands, serve_app
from benchmarks.visitor import Visitor
from pages.shared import monitoring

SHIPPED = {
    "server.fileWatcherType": "none",
    "server.address": "127.0.0.1",
    "server.allowedHosts": ["localhost", "127.0.0.1"],
    "client.showErrorDetails": "none",
}


def test_shipped_configuration_watches_no_file_and_is_for_this_machine_alone(tmp_path):
    own = {k: v for k, v in os.environ.items() if not k.startswith("STREAMLIT_")}
    code = "import json; from streamlit import config; "
    code += f"print(json.dumps({{o: config.get_option(o) for o in {list(SHIPPED)}}}))"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=own | {"HOME": str(tmp_path)},  # nobody's own configuration
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(shown.stdout) == SHIPPED


def test_servers_of_tests_and_benchmarks_start_as_the_readme_does(tmp_path):
    stand_in = tmp_path / "streamlit"
    stand_in.write_text('#!/bin/sh\necho "$PWD" "$@"\n')
    stand_in.chmod(0o755)
    log = tmp_path / "terminal.txt"
    with pytest.raises(RuntimeError, match="no Streamlit server"), serve_app(ROOT, stand_in, log):
        pass
    folder, *words = log.read_text().split()
    options = [word for word in words if word.startswith("--")]
    names = {option.partition("=")[0] for option in options}
    assert folder == str(ROOT)
    assert names == {"--server.port", "--server.address", "--server.headless"}
    others = [word for word in words if word not in options]
    assert read_commands()[-1].split() == [".venv/bin/streamlit", *others]


def ask(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), answer.headers


def open_stream(port, host):
    """The status line of a WebSocket handshake with this Host header."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        lines = (
            "GET /_stcore/stream HTTP/1.1",
            f"Host: {host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
            f"Origin: http://{host}",
        )
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return connection.recv(200).decode(errors="replace").splitlines()[0]


def test_the_server_for_others_sends_headers_and_says_how_its_pool_is(tmp_path):
    log = tmp_path / "terminal.txt"
    with serve_app(log=log, script="server.py") as server:
        _, headers = ask(server.address)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Content-Security-Policy"] == "frame-ancestors 'self'"
        health = json.loads(ask(f"{server.address}/health")[0])
        assert health["ok"]
        assert {"waiting", "running", "oldest_waiting_seconds"} <= set(health)
        metrics = ask(f"{server.address}/metrics")[0].splitlines()
        assert f"compress_workers {health['workers']}" in metrics
        assert {f"compress_{kind} 0" for kind in ("waiting", "running")} <= set(metrics)
        port = int(server.address.rsplit(":", 1)[1])
        assert " 101 " in open_stream(port, f"127.0.0.1:{port}")
        assert " 403 " in open_stream(port, "evil.example")
        assert run_health_check(port) == 0
    assert "Traceback" not in log.read_text()
    assert run_health_check(port) == 1


def read_health_check():
    """The command by which the container's supervisor looks after it."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("HEALTHCHECK"))
    return json.loads(line.split("CMD", 1)[1])


def run_health_check(port):
    """Exit code of that command, asking this port."""
    program, *words = read_health_check()
    assert program == "python"
    command = [sys.executable, *(word.replace("8501", str(port)) for word in words)]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


class Unhealthy(BaseHTTPRequestHandler):
    """Answers 503 where the pool's health is asked for, and 200 elsewhere, as Streamlit does."""

    def do_GET(self):
        self.send_response(503 if self.path == "/health" else 200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def test_the_container_s_health_check_sees_a_pool_that_cannot_work():
    with ThreadingHTTPServer(("127.0.0.1", 0), Unhealthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert run_health_check(server.server_port) == 1
        server.shutdown()


def wait_until(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_clear_cache_message_leaves_what_runs_and_what_waits_alone(monkeypatch):
    monkeypatch.setenv("COMPRESS_WORKERS", "1")
    with serve_app(script="server.py") as server, contextlib.ExitStack() as tabs:

        def read_health():
            return json.loads(ask(f"{server.address}/health")[0])

        def is_cached():
            kept = 'cache_memory_bytes{cache_type="st_cache_resource"'
            return kept in ask(f"{server.address}/_stcore/metrics")[0]

        def visit(query, page=""):
            return tabs.enter_context(Visitor(server.address, query, page))

        stranger = visit("", "atlas")
        stranger.open()
        assert is_cached()
        visit("dataset=mnist_5k&model=lenet5&train_epochs=30").open()
        wait_until(lambda: read_health()["running"])
        waiting = visit("dataset=iris&model=softmax_regression")
        waiting.open()
        before, begin = read_health(), time.monotonic()
        assert (before["running"], before["waiting"]) == (1, 1)
        stranger.clear_caches()
        wait_until(lambda: not is_cached())
        after, taken = read_health(), time.monotonic() - begin
        assert (after["running"], after["waiting"]) == (1, 1)
        for kind in ("longest_running_seconds", "oldest_waiting_seconds"):
            assert before[kind] < after[kind] < before[kind] + taken + 1
        waiting.wait()
        metrics = dict(line.split() for line in ask(f"{server.address}/metrics")[0].splitlines())
        assert 0 < float(metrics["compress_median_job_seconds"]) < time.monotonic() - begin


def test_the_health_of_a_pool_that_cannot_work_is_an_error(monkeypatch):
    monkeypatch.setattr(monitoring.jobs, "health", lambda: {"ok": False, "waiting": 3})
    # A browser test before this one leaves a running event loop in the main thread.
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asyncio.run, monitoring.answer_health(None)).result()
    assert answer.status_code == 503
    assert json.loads(answer.body) == {"ok": False, "waiting": 3}


def test_the_container_is_not_root_and_runs_what_is_there():
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    said = dict(steps)
    # By its number: what runs containers can then see that it is not root.
    assert said["USER"].isdigit()
    assert f"useradd --uid {said['USER']} " in (ROOT / "Dockerfile").read_text()
    assert int(said["USER"]) > 0
    command = json.loads(said["CMD"])
    assert command[:2] == ["streamlit", "run"]
    assert (ROOT / command[2]).exists()
    assert "8501/health'" in read_health_check()[2]
    copied = [rest.split()[0] for word, rest in steps if word == "COPY"]
    assert all((ROOT / name).exists() for name in copied)
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"].endswith("tests/requirements.txt")


def test_what_compose_starts_can_write_nothing_but_results_and_what_is_temporary():
    described = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert set(described) == {"services", "volumes"}
    (service,) = described["services"].values()
    steps = [line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text().splitlines()]
    said = dict(step for step in steps if len(step) == 2)
    assert service["build"] == "."
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == "3g"
    assert service["pids_limit"] > 0
    assert [folder.split(":")[0] for folder in service["tmpfs"]] == ["/tmp"]
    (mounted,) = service["volumes"]
    volume, folder = mounted.split(":")
    assert (volume, folder) == (*described["volumes"], said["VOLUME"])
    assert service["ports"] == [f"127.0.0.1:{said['EXPOSE']}:{said['EXPOSE']}"]
    # The image's own user and health check are in force.
    assert not {"user", "healthcheck", "command", "privileged", "network_mode"} & set(service)


def test_the_dockerfile_is_linted():
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if (hadolint := shutil.which("hadolint", path=places)) is None:
        reason = "there is no hadolint"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    run = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
