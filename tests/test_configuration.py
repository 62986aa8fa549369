"""What the shipped configuration makes of the README's run command."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.server import ROOT, read_commands, serve_app
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
        port = int(server.address.rsplit(":", 1)[1])
        assert " 101 " in open_stream(port, f"127.0.0.1:{port}")
        assert " 403 " in open_stream(port, "evil.example")
    assert "Traceback" not in log.read_text()


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
    health = json.loads(said["HEALTHCHECK"].split("CMD", 1)[1])
    compile(health[2], "HEALTHCHECK", "exec")
    assert "8501/health" in health[2]
    copied = [rest.split()[0] for word, rest in steps if word == "COPY"]
    assert all((ROOT / name).exists() for name in copied)
    service = [line.strip() for line in (ROOT / "compose.yaml").read_text().splitlines()]
    for line in (
        "read_only: true",
        "mem_limit: 3g",
        "cap_drop: [ALL]",
        f'volumes: ["results:{said["VOLUME"]}"]',
        'ports: ["127.0.0.1:8501:8501"]',
    ):
        assert line in service
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"].endswith("tests/requirements.txt")
