"""path.sh on machines that lack something: each message is what its reader needs to go on."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture()
def clone(tmp_path):
    """What path.sh needs of the repository, without an environment."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("path.sh", "setup.cfg", "constraints.txt", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "README.md").touch()
    (folder / "pylib/sidamo").mkdir(parents=True)
    (folder / "pylib/sidamo/__init__.py").touch()
    return folder


def source(folder, script="echo ready", **environment):
    """Source path.sh in a clean environment, then run `script`."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    command = ["bash", "-c", f"set -euo pipefail; . ./path.sh; {script}"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def fake_tools(folder, **scripts):
    """A PATH with nothing but coreutils' basics and the given stand-ins."""
    bin_dir = folder / "bin"
    bin_dir.mkdir()
    for tool in "bash cat cksum dirname readlink touch rm mkdir df awk tail sed grep flock mv cut sleep sort head env".split():
        if path := shutil.which(tool):
            (bin_dir / tool).symlink_to(path)
    for name, text in scripts.items():
        (bin_dir / name).write_text(text)
        (bin_dir / name).chmod(0o755)
    return str(bin_dir)


def test_no_python(clone):
    result = source(clone, PATH=fake_tools(clone))
    assert result.returncode == 1
    assert "no python3 in PATH" in result.stderr and "3.10" in result.stderr
    assert "ready" not in result.stdout


def test_python_too_old(clone):
    old = '#!/bin/bash\n[ "$1" = --version ] && echo "Python 3.8.10" && exit 0\nexit 1\n'
    result = source(clone, PATH=fake_tools(clone, python3=old))
    assert result.returncode == 1
    assert "too old" in result.stderr and "Python 3.8.10" in result.stderr and "3.10" in result.stderr


OFFLINE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": "/dev/null",
}  # fmt: skip


def test_no_network(clone):
    result = source(clone, **OFFLINE)
    assert result.returncode == 1
    assert "no network" in result.stderr
    # What was cut off is noticed, and done again from the start.
    again = source(clone, **OFFLINE)
    assert again.returncode == 1 and "did not finish; starting over" in again.stderr


def test_no_space(clone, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system needs root and mount")
    try:
        shutil.copytree(clone, small / "clone")
        result = source(small / "clone")
        assert result.returncode == 1
        assert "no space" in result.stderr and "2 GB" in result.stderr
    finally:
        subprocess.run(["umount", small], check=True)


def test_interrupt_leaves_no_pip_behind(clone):
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    process = subprocess.Popen(
        ["bash", "-c", ". ./path.sh"], cwd=clone, env=env, start_new_session=True, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # it is ignored in a script's background
    )  # fmt: skip
    deadline = time.time() + 60
    while not (clone / ".venv/.sidamo-installing").exists() and time.time() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    time.sleep(6)  # the sign of life looks every 4 seconds whether its script is still there
    running = subprocess.run(["pgrep", "-f", str(clone)], capture_output=True, text=True).stdout.split()
    assert not running
    assert not (clone / ".venv/.sidamo-installed").exists()


def test_sidamo_python_overrides(clone):
    result = source(clone, "command -v compute-wer; echo $SIDAMO_ROOT", SIDAMO_PYTHON=sys.executable)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(clone)
    assert not (clone / ".venv").exists()


def test_sidamo_python_without_sidamo(clone):
    bare = '#!/bin/bash\nexit 1\n'
    result = source(clone, SIDAMO_PYTHON="python-bare", PATH=fake_tools(clone, **{"python-bare": bare}))
    assert result.returncode == 1
    assert "does not have Sidamo" in result.stderr and "pip install" in result.stderr


def test_sidamo_python_that_is_not_there(clone):
    result = source(clone, SIDAMO_PYTHON="/nowhere/python")
    assert result.returncode == 1 and "is not a program" in result.stderr


def test_later_runs_start_no_process(clone):
    """Once the environment stands, path.sh in a child of a script is the shell's own work: PATH may even be empty."""
    result = source(clone, "PATH=/nowhere; . ./path.sh; echo still $SIDAMO_ROOT", SIDAMO_PYTHON=sys.executable)
    assert result.returncode == 0 and result.stdout.split()[-1] == str(clone) and "not found" not in result.stderr
