"""Command lines as Kaldi's ParseOptions reads them, tried on a stand-in tool."""

from dataclasses import dataclass, field

import pytest
from sidamo.bin import tool
from sidamo.io.errors import DataError, OptionError, UsageError
from sidamo.io.options import Options, quote


@dataclass(frozen=True)
class WindowOptions:
    sample_frequency: float = field(default=16000, metadata={"help": "Sample rate in Hz"})
    dither: float = field(default=1.0, metadata={"help": "Dithering constant"})
    snip_edges: bool = True


@dataclass(frozen=True)
class FeatureOptions:
    window: WindowOptions = field(default_factory=WindowOptions)
    num_ceps: int = 13
    use_energy: bool = True
    output_format: str = "kaldi"

    def __post_init__(self):
        if self.num_ceps > 23:
            raise OptionError("num-ceps cannot be larger than num-mel-bins")


def parse(*argv):
    o = Options("Makes features.\n\nUsage: stand-in [options] <in> <out>")
    o.group(FeatureOptions())
    opts, args = o.parse([*argv], num_args=2)
    return opts.make(FeatureOptions), args


@pytest.mark.parametrize(
    "argv, rate, energy",
    [
        (["--sample_frequency=8000"], 8000, True),
        (["--Sample-Frequency=8000"], 8000, True),
        (["--sample-frequency=8000", "--use-energy=t"], 8000, True),
        (["--sample-frequency=8000", "--use-energy=0"], 8000, False),
        (["--sample-frequency=8000", "--use-energy=FALSE"], 8000, False),
        (["--sample-frequency=8000", "--use-energy=f", "--use-energy"], 8000, True),
        (["--sample-frequency=16000", "--sample-frequency=8000"], 8000, True),
        (["--sample-frequency=8e3"], 8000, True),
        (["--sample-frequency= 8000 "], 8000, True),
    ],
)
def test_spellings(argv, rate, energy):
    options, args = parse(*argv, "in", "out")
    assert (options.window.sample_frequency, options.use_energy, args) == (rate, energy, ["in", "out"])


def test_types_come_from_the_fields():
    """A field annotated float takes a float although its default is the int 16000."""
    assert parse("--sample-frequency=11025.5", "a", "b")[0].window.sample_frequency == 11025.5


def test_two_dashes_end_the_options():
    assert parse("--num-ceps=5", "--", "in", "--out")[1] == ["in", "--out"]
    assert parse("--num-ceps=5", "in", "--", "out")[1] == ["in", "out"]


def test_options_after_an_argument_are_arguments():
    with pytest.raises(UsageError, match="Makes features"):
        parse("in", "out", "--num-ceps=5")


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--sample-frequency", "8000"], 'Invalid floating-point option ""'),
        (["--no-such-option=1"], "Invalid option --no-such-option=1"),
        (["--num-cep=4"], "did you mean --num-ceps?"),
        (["--use-energy=yes"], r"Invalid format for boolean argument \[expected true or false\]: yes"),
        (["--use-energy="], "Invalid option --use-energy="),
        (["--num-ceps=1.5"], 'Invalid integer option "1.5"'),
        (["--num-ceps=1_0"], 'Invalid integer option "1_0"'),
        (["--num-ceps=99999999999"], "Invalid integer option"),
        (["--dither=abc"], 'Invalid floating-point option "abc"'),
        (["--output-format"], "option format is --x=y"),
        (["--=3"], "no key"),
        (["--num-ceps=30"], "num-ceps cannot be larger"),
    ],
)
def test_errors(argv, message):
    with pytest.raises(OptionError, match=message):
        parse(*argv, "in", "out")


def test_config_file(tmp_path):
    config = tmp_path / "mfcc.conf"
    config.write_text("# comment\n\n--num_ceps=7   # fewer\n  --use-energy=false\n")
    options, _ = parse("--num-ceps=9", f"--config={config}", "a", "b")
    assert (options.num_ceps, options.use_energy) == (9, False)  # the command line wins, wherever --config stands


@pytest.mark.parametrize(
    "line, message",
    [
        ("num_ceps=7", r"mfcc.conf:2: expected a line of the form --x=y"),
        ("--num-caps=7", r"Invalid option --num-caps=7 in config file .*mfcc.conf:2; did you mean --num-ceps\?"),
        ("--num-ceps=x", r'mfcc.conf:2: Invalid integer option "x"'),
    ],
)
def test_bad_config_file(tmp_path, line, message):
    config = tmp_path / "mfcc.conf"
    config.write_text("# first\n" + line + "\n")
    with pytest.raises(OptionError, match=message):
        parse(f"--config={config}", "a", "b")


def test_absent_config_file():
    with pytest.raises(OptionError, match="Cannot open config file: no/such.conf"):
        parse("--config=no/such.conf", "a", "b")


def test_echo_of_the_command_line(capfd):
    parse("--num-ceps=5", "scp:a b.scp", "ark:it's")
    assert "--num-ceps=5 'scp:a b.scp' \"ark:it's\" \n" in capfd.readouterr().err
    parse("--print-args=false", "a", "b")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "word, quoted",
    [("a-b_c=1:2.,/", "a-b_c=1:2.,/"), ("", "''"), ("a b", "'a b'"), ("it's", '"it\'s"'), ("$'", "'$'\\'''")],
)
def test_quote_is_what_the_shell_takes_back(word, quoted, run):
    assert quote(word) == quoted
    assert run(f"printf %s {quoted}").stdout == word


def test_help_lists_the_options(capfd):
    with pytest.raises(SystemExit) as leave:
        parse("--help")
    shown = capfd.readouterr().out
    assert leave.value.code == 0
    assert "--sample-frequency" in shown and "Sample rate in Hz (float, default = 16000)" in shown
    assert "Standard options:" in shown


def _tool_that(raises):
    @tool
    def main(argv=None):
        if raises is not None:
            raise raises
        return 0

    return main


@pytest.mark.parametrize(
    "error, status",
    [
        (None, 0),
        (DataError("x"), 255),
        (OptionError("x"), 255),
        (UsageError("x"), 1),
        (BrokenPipeError(), None),
        (KeyboardInterrupt(), 130),
        (SystemExit(0), 0),
        (OSError(5, "Input/output error"), 255),
        (ZeroDivisionError("x"), 255),
    ],
)
def test_exit_statuses(error, status, monkeypatch, capfd):
    monkeypatch.setattr("sidamo.bin._drop_stdout", lambda: None)
    assert _tool_that(error)([]) == (141 if status is None else status)
    if isinstance(error, DataError):
        assert "ERROR (" in capfd.readouterr().err


def test_error_names_the_place():
    error = DataError("bad", file="a.ark", line=3, mend="do this").locate(file="other", key="utt1", offset=7)
    assert str(error) == "a.ark:3 (key utt1, byte 7): bad\n  to mend: do this"
