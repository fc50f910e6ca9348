"""egs/yesno on the recordings, its robustness against kills, and its download against a real web server."""

import hashlib
import http.server
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

KILLS = int(os.environ.get("SIDAMO_KILLS", "3"))  # ten before a release; fewer in CI, where time is short


@pytest.fixture(scope="module")
def yesno_corpus(corpora):
    return corpora / "yesno"


def test_no_word_is_wrong(scratch_recipe, yesno_corpus):
    folder = scratch_recipe("yesno")
    result = subprocess.run(["./run.sh", "--corpus", yesno_corpus], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "%WER 0.00 [ 0 / 232, 0 ins, 0 del, 0 sub ]" in result.stdout


def test_killed_at_any_instant_it_goes_on(scratch_recipe, yesno_corpus):
    """kill -9 of the whole process group at random instants; each time the same command goes on to the same figure."""
    folder = scratch_recipe("yesno")
    chance = random.Random(os.environ.get("SIDAMO_KILL_SEED", "7"))
    command = ["./run.sh", "--corpus", str(yesno_corpus)]
    for _ in range(KILLS):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=folder, start_new_session=True, **quiet)
        try:
            process.wait(timeout=chance.uniform(0.5, 12))  # the whole recipe takes some 15 s
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "%WER 0.00 [ 0 / 232, 0 ins, 0 del, 0 sub ]" in result.stdout


def test_wrong_corpus_is_refused(scratch_recipe, tmp_path):
    folder = scratch_recipe("yesno")
    (tmp_path / "0_0_0_0_0_0_0_2.wav").touch()
    result = subprocess.run(["./run.sh", "--corpus", tmp_path], cwd=folder, capture_output=True, text=True)
    assert result.returncode != 0
    assert "expected 60 with names of eight 0 or 1" in result.stderr
    assert "stage 0 (data) failed" in result.stderr


class _Cutting(http.server.BaseHTTPRequestHandler):
    """A web server that drops the connection half-way the first time, and can continue (RFC 9110, Range)."""

    content = random.Random(1).randbytes(600_000)
    ranges: list[str] = []
    cut_next = True

    def do_GET(self):
        start = 0
        if asked := self.headers.get("Range"):
            self.ranges.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
        body = self.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if type(self).cut_next:
            type(self).cut_next = False
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.close()
        else:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture()
def web():
    _Cutting.ranges, _Cutting.cut_next = [], True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Cutting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/waves.tar.gz"
    server.shutdown()


def test_download_resumes_and_checks(web, tmp_path, run):
    good = hashlib.sha256(_Cutting.content).hexdigest()
    result = run(f"utils/download.py --wait 0.1 --sha256 {'0' * 64},{good} {web} {tmp_path}/waves.tar.gz")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "waves.tar.gz").read_bytes() == _Cutting.content
    assert _Cutting.ranges and _Cutting.ranges[0] != "bytes=0-"  # it went on where it was cut off
    assert not (tmp_path / "waves.tar.gz.part").exists()


def test_download_with_a_wrong_sum_leaves_nothing(web, tmp_path, run):
    result = run(f"utils/download.py --wait 0.01 --tries 2 --sha256 {'0' * 64} {web} {tmp_path}/waves.tar.gz")
    assert result.returncode == 1
    assert "SHA-256 is" in result.stderr and "by hand" in result.stderr
    assert not list(tmp_path.iterdir())


def test_download_without_network_says_what_to_do(tmp_path, run):
    started = time.time()
    result = run(f"utils/download.py --wait 0.01 --tries 2 http://127.0.0.1:9/x {tmp_path}/x")
    assert result.returncode == 1
    assert "fetch it by hand" in result.stderr and f"{tmp_path}/x" in result.stderr
    assert time.time() - started < 20
