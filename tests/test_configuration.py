"""What the shipped configuration makes of the README's run command."""

import os
import subprocess
import sys

import pytest

from benchmarks.server import ROOT, read_commands, serve_app


def test_shipped_configuration_leaves_the_file_watcher_off(tmp_path):
    own = {k: v for k, v in os.environ.items() if not k.startswith("STREAMLIT_")}
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "from streamlit import config; print(config.get_option('server.fileWatcherType'))",
        ],
        cwd=ROOT,
        env=own | {"HOME": str(tmp_path)},  # nobody's own configuration
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert shown.stdout.split() == ["none"]


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
