"""utils/parse_options.sh: Kaldi's option syntax, and the mending of its defects."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = f"""#!/usr/bin/env bash
# Does something.
#
# Options:
#   --nj N   jobs
# shellcheck disable=SC2154
set -euo pipefail
nj=4
cmd=run.pl
max_active=700
use_energy=false
stage=auto
extra_opts=
. "{ROOT}/utils/parse_options.sh"
echo "$nj|$cmd|$max_active|$use_energy|$stage|$extra_opts|$#|$*"
"""


@pytest.fixture()
def script(tmp_path):
    path = tmp_path / "script.sh"
    path.write_text(SCRIPT)

    def call(*arguments, env=None):
        command = ["bash", path, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=20)

    return call


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ([], "4|run.pl|700|false|auto||0|"),
        (["--nj", "8", "a", "b"], "8|run.pl|700|false|auto||2|a b"),
        (["--nj=8", "--max-active=9", "--max_active", "10"], "8|run.pl|10|false|auto||0|"),
        (["--cmd", "queue.pl --mem 4G", "x"], "4|queue.pl --mem 4G|700|false|auto||1|x"),
        (["--use-energy=true", "--stage", "-1"], "4|run.pl|700|true|-1||0|"),
        (["--stage", "auto"], "4|run.pl|700|false|auto||0|"),
        (["--extra-opts", "--a 'b' \"$c\" `d`"], "4|run.pl|700|false|auto|--a 'b' \"$c\" `d`|0|"),
        (["--extra-opts="], "4|run.pl|700|false|auto||0|"),
        (["--", "--nj", "9"], "4|run.pl|700|false|auto||2|--nj 9"),
        (["-", "--nj"], "4|run.pl|700|false|auto||2|- --nj"),
        (["", "x"], "4|run.pl|700|false|auto||2| x"),
    ],
)
def test_options_become_variables(script, arguments, expected):
    done = script(*arguments)
    assert (done.returncode, done.stdout.rstrip("\n"), done.stderr) == (0, expected, "")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--nj"], "--nj needs a value: --nj VALUE"),  # Kaldi's script loops for ever
        (["--nj", "--cmd", "x"], "--nj needs a value"),
        (["--max-activ", "3"], "no such option: --max-activ; did you mean --max-active?"),
        (["--activ=3"], "no such option: --activ; did you mean --max-active?"),
        (["--HOME", "x"], "no such option: --HOME"),
        (["--path", "x"], "no such option: --path"),
        (["--use-energy", "yes"], '--use-energy expects true or false, got "yes"'),
        (["--nj", "0"], '--nj expects a whole number of at least 1, got "0"'),
        (["--nj=four"], '--nj expects a whole number of at least 1, got "four"'),
        (["--stage", "two"], '--stage expects a whole number, got "two"'),
        (["--cmd", ""], "--cmd is empty"),
        (["--config", "nowhere"], "--config nowhere: no such file"),
        (["-nj", "3"], "options have two dashes: write --nj for -nj"),
    ],
)
def test_bad_options_are_refused(script, arguments, message):
    done = script(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout == ""


def test_an_exported_variable_of_the_caller_is_no_option(script):
    import os

    done = script("--secret", "1", env={**os.environ, "secret": "0", "nj": "9"})
    assert (done.returncode, "no such option: --secret" in done.stderr) == (1, True)
    assert script("--nj", "5", env={**os.environ, "nj": "9"}).stdout.startswith("5|")


def test_config_comes_first_and_the_command_line_wins(script, tmp_path):
    (tmp_path / "shell.conf").write_text('# comment\nmax_active=12\nextra_opts="a b"  # comment\nnj=2\n')
    done = script("--nj", "3", "--config", "shell.conf", "x")
    assert done.stdout == "3|run.pl|12|false|auto|a b|1|x\n"
    (tmp_path / "flags.conf").write_text("--max-active=13  # comment\n# more\n--extra_opts=a b")
    done = script("--config=flags.conf", "--config", "shell.conf")
    assert done.stdout == "2|run.pl|12|false|auto|a b|0|\n"


@pytest.mark.parametrize(
    "content, message",
    [
        ("max_activ=12\n", "bad.conf:1: no such option: --max-activ; did you mean --max-active?"),
        ("nj=3\n--use-energy=1\n", 'bad.conf:2: --use-energy expects true or false, got "1"'),
        ("--nj 3\n", "bad.conf:1: expected --name=value or name=value"),
    ],
)
def test_bad_config_is_refused(script, tmp_path, content, message):
    (tmp_path / "bad.conf").write_text(content)
    done = script("--config", "bad.conf")
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr


def test_help_is_the_header_or_the_help_message(script, tmp_path):
    done = script("--nj", "2", "--help")
    assert (done.returncode, done.stdout) == (0, "Does something.\n\nOptions:\n  --nj N   jobs\n")
    path = tmp_path / "other.sh"
    path.write_text(SCRIPT.replace("nj=4", 'nj=4\nhelp_message="How to\\nuse it"'))
    done = subprocess.run(["bash", path, "-h"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "How to\nuse it\n")


def test_a_script_that_goes_to_its_own_directory_has_its_help(tmp_path):
    (tmp_path / "egs").mkdir()
    path = tmp_path / "egs" / "run.sh"
    path.write_text(SCRIPT.replace("nj=4", 'cd "$(dirname "$0")"\nnj=4'))
    for folder, name in ((tmp_path, "egs/run.sh"), (tmp_path / "egs", "./run.sh"), (tmp_path, path)):
        done = subprocess.run(["bash", name, "--help"], cwd=folder, capture_output=True, text=True)
        assert (done.returncode, done.stdout[:15]) == (0, "Does something.")
        done = subprocess.run(["bash", name, "--max"], cwd=folder, capture_output=True, text=True)
        assert "did you mean --max-active?" in done.stderr


def test_kaldi_scripts_without_strict_mode_work(tmp_path):
    path = tmp_path / "kaldi.sh"
    path.write_text(f'x=1\n. {ROOT}/utils/parse_options.sh || exit 1;\necho "$x $*"\n')
    done = subprocess.run(["bash", path, "--x", "2", "a"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "2 a\n")
