"""utils/run.py: run.pl's interface, quoting and log; ends all processes; resumes what was interrupted."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = str(ROOT / "utils" / "run.pl")


@pytest.fixture()
def run_pl(tmp_path):
    def call(*arguments, env=None):
        return subprocess.run(
            [RUN, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env={**os.environ, **(env or {})},
        )  # fmt: skip

    return call


def survivors(marker):
    """Command lines of the living processes that have a marker in their environment."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = pathlib.Path(f"/proc/{process}/environ").read_bytes()
            state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
            if marker.encode() in environment and state not in "ZX":
                found.append(pathlib.Path(f"/proc/{process}/cmdline").read_bytes())
        except OSError:
            continue
    return found


def wait_until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_log_has_the_format_of_run_pl(run_pl, tmp_path):
    done = run_pl("log/a.log", "echo", "hi", "|", "cat", ">&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    date = r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \S+ \d{4}"
    expected = (
        rf"# echo hi \| cat >&2 \n# Started at {date}\n#\nhi\n"
        rf"# Accounting: time=\d+ threads=1\n# Ended \(code 0\) at {date}, elapsed time \d+ seconds\n"
    )
    assert re.fullmatch(expected, (tmp_path / "log/a.log").read_text())


def test_arguments_are_quoted_as_by_run_pl(run_pl, tmp_path):
    run_pl("a.log", "printf", "%s,", "a b", 'q"q', 'x "y" z', "it's", "", "$HOME", "two $((1 + 1))", ">", "out")
    # Kaldi: what has no blank goes in bare, what has blanks gets '' if it holds ", else "".
    assert (tmp_path / "a.log").read_text().startswith(
        """# printf %s, "a b" q"q 'x "y" z' it's "" $HOME "two $((1 + 1))" > out \n"""
    )
    run_pl("b.log", "printf", "%s,", "a b", 'x "y" z', "", "$X", "two $((1 + 1))", ">", "out", env={"X": "x"})
    assert (tmp_path / "out").read_text() == 'a b,x "y" z,,x,two 2,'


def test_an_argument_with_both_quotes_survives(run_pl, tmp_path):
    assert run_pl("a.log", "printf", "%s", "it's \"x\" y", ">", "out").returncode == 0
    assert (tmp_path / "out").read_text() == "it's \"x\" y"


def test_the_job_name_is_replaced_everywhere(run_pl, tmp_path):
    done = run_pl("--mem", "4G", "K=2:4", "-tc", "2", "log/x.K.K.log", "echo", "aKb", "ark:t.K", ">", "out.K")
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / f"out.{k}").read_text() for k in (2, 3, 4)] == [f"a{k}b ark:t.{k}\n" for k in (2, 3, 4)]
    assert sorted(os.listdir(tmp_path / "log")) == ["x.2.2.log", "x.3.3.log", "x.4.4.log"]


def test_queue_options_are_accepted(run_pl):
    options = "-V -sync y -tc 2 -l mem=4 -pe smp 3 -q all.q --num-threads 2 --gpu 0 --mem=2G --time 1:00 --config none"
    assert run_pl(*options.split(), "JOB=1:2", "-V", "x.JOB.log", "true").returncode == 0


def test_at_most_so_many_jobs_at_once(run_pl, tmp_path):
    (tmp_path / "job.sh").write_text("echo + >> t; sleep 0.1; echo - >> t")
    run_pl("--max-jobs-run", "2", "JOB=1:6", "l.JOB.log", "bash", "job.sh")
    assert most_at_once(tmp_path / "t") == 2


@pytest.mark.parametrize(
    "gpus, gpu, expected", [(2, 1, {"0", "1"}), (4, 2, {"0,1", "2,3"}), (1, 1, {"0"}), (0, 1, {""})]
)
def test_each_job_has_its_own_gpus(run_pl, tmp_path, gpus, gpu, expected):
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\n" + "".join(f"echo 'GPU {n}: H200 (UUID: GPU-x)'\n" for n in range(gpus)))
    smi.chmod(0o755)
    (tmp_path / "job.sh").write_text('echo + >> t; echo "$CUDA_VISIBLE_DEVICES" > "gpu.$1"; sleep 0.2; echo - >> t')
    path = {"PATH": f"{smi.parent}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    done = run_pl("--gpu", gpu, "JOB=1:4", "l.JOB.log", "bash", "job.sh", "JOB", env=path)
    assert done.returncode == 0, done.stderr
    assert {(tmp_path / f"gpu.{job}").read_text().strip() for job in range(1, 5)} == expected
    assert ("lists 0" in done.stderr) == (gpus == 0)
    assert most_at_once(tmp_path / "t") == len(expected)


def most_at_once(path):
    """Largest number of jobs that were between their + and their -."""
    depth, deepest = 0, 0
    for line in path.read_text().split():
        depth += 1 if line == "+" else -1
        deepest = max(deepest, depth)
    return deepest


def test_failures_are_counted_and_shown(run_pl):
    done = run_pl("JOB=1:4", "log/x.JOB.log", "echo", "reason JOB", ";", "test", "JOB", "-gt", "2")
    assert done.returncode == 1
    assert "run.pl: 2 / 4 failed, log is in log/x.*.log\n" in done.stderr
    assert "failed: JOB=1 2" in done.stderr and "reason 1" in done.stderr and "# Ended (code 1)" in done.stderr
    done = run_pl("log/one.log", "exit", "3")
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "run.pl: job failed, log is in log/one.log")


def test_only_the_end_of_a_long_log_is_shown(run_pl):
    done = run_pl("x.log", "seq", "1", "5000", ";", "false")
    assert "5000" in done.stderr and len(done.stderr.splitlines()) < 15


def test_a_pipeline_fails_with_any_part(run_pl):
    assert run_pl("x.log", "false", "|", "true").returncode == 1


def test_a_signal_is_logged(run_pl, tmp_path):
    assert run_pl("x.log", "kill", "-9", "$BASHPID").returncode == 1
    assert "# Ended (code 137) at" in (tmp_path / "x.log").read_text()


def test_a_very_long_command_is_run(run_pl, tmp_path):
    words = "x" * 60_000
    assert run_pl("x.log", "echo", words, words, words, "|", "wc", "-c", ">", "out").returncode == 0
    assert (tmp_path / "out").read_text().strip() == str(3 * 60_000 + 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "expected a log and a command"),
        (["x.log"], "expected a log and a command"),
        (["--mem"], "--mem needs a value"),
        (["JOB=1:2", "x.log", "true"], "the jobs cannot share one log file (x.log): put JOB into its name"),
        (["JOB=3:2", "x.JOB.log", "true"], "the job range JOB=3:2"),
        (["JOB=0:2", "x.JOB.log", "true"], "the job range JOB=0:2"),
        (["--max-jobs-run", "0", "x.log", "true"], "--max-jobs-run expects a whole number above 0, got '0'"),
        (["--pick", "some", "x.log", "true"], "--pick expects all, none, failed or incomplete"),
        (["--resume", "1", "x.log", "true"], "--resume expects true or false"),
        (["/dev/null/x.log", "true"], "cannot write the log"),
    ],
)
def test_bad_command_lines_are_refused(run_pl, arguments, message):
    done = run_pl(*arguments)
    assert done.returncode == 1
    assert message in done.stderr


def test_a_misspelt_option_is_pointed_out(run_pl):
    done = run_pl("--max-job-run", "2", "x.log", "true")  # no error: Kaldi's queue.conf may define any option
    assert "--max-job-run 2; did you mean --max-jobs-run?" in done.stderr


STUBBORN = "trap '' TERM; touch ready; sleep 60 & sleep 60"


def start(tmp_path, *arguments, marker):
    return subprocess.Popen(
        [RUN, *arguments], cwd=tmp_path, env={**os.environ, "MARKER": marker}, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals,
    )  # fmt: skip


def heed_signals():
    """Whoever runs the tests under nohup, or in the background of a script, has these ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_signals_end_all_processes(tmp_path, number, status):
    marker = f"run_test_{os.getpid()}_{number}"
    process = start(tmp_path, "-tc", "2", "JOB=1:3", "x.JOB.log", "sleep", "60", "&", "sleep", "60", marker=marker)
    assert wait_until(lambda: (tmp_path / "x.2.log").exists() and len(survivors(marker)) >= 6)
    process.send_signal(number)
    assert process.wait(10) == status
    assert survivors(marker) == [] or wait_until(lambda: not survivors(marker), 2)
    assert f"interrupted by {number.name}" in process.stderr.read()
    assert f"# Interrupted by {number.name}" in (tmp_path / "x.1.log").read_text()


def test_jobs_that_ignore_sigterm_are_killed(tmp_path):
    (tmp_path / "stubborn.sh").write_text(STUBBORN)
    marker = f"run_test_{os.getpid()}_stubborn"
    process = start(tmp_path, "x.log", "bash", "stubborn.sh", marker=marker)
    assert wait_until((tmp_path / "ready").exists)
    process.terminate()
    assert process.wait(10) == 143
    assert wait_until(lambda: not survivors(marker), 2)


def test_kill_9_of_run_py_ends_all_processes(tmp_path):
    marker = f"run_test_{os.getpid()}_kill"
    process = start(tmp_path, "-tc", "2", "JOB=1:2", "x.JOB.log", "sleep", "60", "&", "sleep", "60", marker=marker)
    assert wait_until(lambda: (tmp_path / "x.2.log").exists() and len(survivors(marker)) >= 6)
    process.kill()
    process.wait()
    assert wait_until(lambda: not survivors(marker), 6)


def test_the_death_of_the_calling_script_ends_all(tmp_path):
    """Killing run.sh leaves no step behind that would write into the files of its successor."""
    marker = f"run_test_{os.getpid()}_script"
    (tmp_path / "run.sh").write_text("export SIDAMO_RUN_PID=$$\nbash step.sh\necho not reached\n")
    (tmp_path / "step.sh").write_text(f"{RUN} x.log sleep 60\necho step status $? > status\n")
    process = subprocess.Popen(
        ["bash", "run.sh"], cwd=tmp_path, env={**os.environ, "MARKER": marker}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert wait_until((tmp_path / "x.log").exists)
    process.kill()
    process.wait()
    assert wait_until(lambda: not survivors(marker), 8)
    assert (tmp_path / "status").read_text() == "step status 143\n"


def counts(tmp_path, jobs):
    return [len((tmp_path / f"count.{job}").read_text().split()) for job in range(1, jobs + 1)]


def test_a_restart_runs_only_what_had_not_finished(run_pl, tmp_path):
    (tmp_path / "in").write_text("x")
    command = ["JOB=1:3", "log/r.JOB.log", "cat", "in", ">", "out.JOB", "&&", "echo", "x", ">>", "count.JOB",
               "&&", "test", "JOB", "-ne", "2", "-o", "-f", "good"]  # fmt: skip
    assert run_pl(*command).returncode == 1
    assert run_pl(*command).returncode == 1
    assert counts(tmp_path, 3) == [1, 2, 1]
    (tmp_path / "in").write_text("y")  # an input has changed: all is run again
    run_pl(*command)
    assert counts(tmp_path, 3) == [2, 3, 2]
    (tmp_path / "out.3").unlink()  # an output is gone: so is that job's
    run_pl(*command)
    assert counts(tmp_path, 3) == [2, 4, 3]
    run_pl("--resume", "false", *command)
    assert counts(tmp_path, 3) == [3, 5, 4]
    (tmp_path / "good").write_text("")
    done = run_pl(*command)
    assert "2 of 3 jobs had finished before the restart" in done.stderr
    assert (done.returncode, counts(tmp_path, 3)) == (0, [3, 6, 4])
    # After a success nothing is remembered: another run is a run.
    assert [name for name in os.listdir(tmp_path / "log") if name.startswith(".")] == []
    assert (run_pl(*command).returncode, counts(tmp_path, 3)) == (0, [4, 7, 5])


def test_another_command_is_never_taken_for_finished(run_pl, tmp_path):
    for option in ("1", "2"):
        run_pl("JOB=1:2", "r.JOB.log", "echo", option, ">", "out.JOB", "&&", "test", "JOB", "-eq", "1")
        assert (tmp_path / "out.1").read_text() == f"{option}\n"


def test_a_job_without_a_file_to_vouch_for_it_is_run_again(run_pl, tmp_path):
    (tmp_path / "count.sh").write_text('echo x >> "$1/count.$2"\ntest "$2" -eq 1')
    for _ in range(2):
        run_pl("JOB=1:2", "r.JOB.log", "bash", "count.sh", ".", "JOB")
    assert counts(tmp_path, 2) == [2, 2]


def test_resuming_after_kill_9(tmp_path, run_pl):
    """Jobs that had ended before run.py and its jobs were killed are not run again; those that had not, are."""
    marker = f"run_test_{os.getpid()}_resume"
    command = ["-tc", "3", "JOB=1:3", "log/r.JOB.log", "echo", "x", ">>", "count.JOB", "&&", "test", "JOB", "-lt", "3",
               "-o", "-f", "go", "||", "sleep", "60"]  # fmt: skip
    process = start(tmp_path, *command, marker=marker)
    assert wait_until(lambda: all((tmp_path / f"log/.r.{job}.log.finished").exists() for job in (1, 2)))
    assert wait_until(lambda: (tmp_path / "count.3").exists())
    process.kill()
    process.wait()
    assert wait_until(lambda: not survivors(marker), 6)
    (tmp_path / "go").write_text("")
    assert run_pl(*command).returncode == 0
    assert counts(tmp_path, 3) == [1, 1, 2]


def test_pick_runs_by_the_old_logs(run_pl, tmp_path):
    command = ["JOB=1:2", "r.JOB.log", "echo", "x", ">>", "count.JOB", ";", "test", "JOB", "-eq", "1"]
    run_pl("--resume", "false", *command)
    run_pl("--pick", "failed", *command)
    assert counts(tmp_path, 2) == [1, 2]
    done = run_pl("--pick", "incomplete", *command)
    assert (done.returncode, counts(tmp_path, 2)) == (1, [1, 2])


def test_a_recipe_under_nohup_outlives_its_shell(tmp_path):
    """The shell that started a recipe in the background may end (a logout); the recipe's own death ends its jobs."""
    recipe = tmp_path / "run.sh"
    recipe.write_text(
        f"set -e\ncd {tmp_path}\nexport SIDAMO_RUN_PID=$$\necho $$ > pid\n"
        f"bash -c '{ROOT}/utils/run.py JOB=1:1 log/x.JOB.log sleep 1.5 \\&\\& touch out.JOB; true'\n"
    )
    subprocess.run(["bash", "-c", f"bash {recipe} >/dev/null 2>&1 </dev/null &"], check=True)
    assert wait_until((tmp_path / "out.1").exists, 20)
    assert "Ended (code 0)" in (tmp_path / "log/x.1.log").read_text()

    (tmp_path / "out.1").unlink()
    subprocess.run(["bash", "-c", f"bash {recipe} >/dev/null 2>&1 </dev/null &"], check=True)
    log = tmp_path / "log/x.1.log"
    assert wait_until(lambda: "sleep 1.5" in log.read_text() and "Ended" not in log.read_text(), 20)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    time.sleep(3)
    assert not (tmp_path / "out.1").exists()
