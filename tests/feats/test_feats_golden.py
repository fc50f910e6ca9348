"""Every golden case of the feature front end: the exact command line, its status, its keys, its numbers."""

import contextlib
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from sidamo.io.tables import SequentialReader, read_object

KINDS = {
    "fbank", "mfcc", "plp", "spectrogram", "pitch", "process_pitch", "deltas", "splice", "subsample", "paste", "vad",
    "cmvn_stats", "cmvn_apply", "segments", "pipe_scp", "error", "option_syntax",
}  # fmt: skip
MINE = {
    "compute-fbank-feats", "compute-mfcc-feats", "compute-plp-feats", "compute-spectrogram-feats",
    "compute-kaldi-pitch-feats", "process-kaldi-pitch-feats", "add-deltas", "splice-feats", "subsample-feats",
    "paste-feats", "select-voiced-frames", "compute-vad", "compute-cmvn-stats", "apply-cmvn", "apply-cmvn-sliding",
    "extract-segments", "wav-copy",
}  # fmt: skip
# Kaldi refuses --vtln-map with --utt2spk in compute-fbank-feats by an inverted check; here it works as in
# compute-mfcc-feats.
MENDED = {"feat.fbank_vtlnmap_spk"}


def load_cases():
    from conftest import SHARED

    manifest = SHARED / "golden" / "manifest.jsonl"
    if not manifest.is_file():
        return []
    cases = [json.loads(line) for line in manifest.read_text().splitlines()]
    # The few matrix_ark cases that are made by our tools are inputs of others.
    return [
        case for case in cases
        if (case["kind"] in KINDS or case["kind"] == "matrix_ark") and case.get("tools") and set(case["tools"]) <= MINE
        and case["id"] not in MENDED
    ]  # fmt: skip


CASES = load_cases()


def run_tool(argv):
    """A tool's main in this process: (exit status, stderr)."""
    main = importlib.import_module("sidamo.bin." + argv[0].replace("-", "_")).main
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = main(argv[1:])
    return status, errors.getvalue()


def divert(case):
    """The case's command with its outputs under tmp/."""
    command = case["cmd"]
    for path in sorted(case.get("outputs", []), key=len, reverse=True):
        new = "tmp/" + path.replace("/", "__")
        command = re.sub(rf"(?<![\w/.-]){re.escape(path)}(?![\w/.-])", new, command)
    return command


def run_case(case):
    command = divert(case)
    words = shlex.split(command)
    if "|" in words or "&&" in words:
        env = dict(os.environ, PATH=os.path.dirname(sys.executable) + ":" + os.environ["PATH"])
        done = subprocess.run(command, shell=True, capture_output=True, text=True, env=env, executable="/bin/bash")
        return done.returncode, done.stderr
    return run_tool(words)


def table_kind(case, tool_kind={"vad": "vector", "segments": "wave", "pipe_scp": "wave"}):  # noqa: B006
    return "matrix" if case["id"] in ("post.voiced", "seg.extract_pipe") else tool_kind.get(case["kind"], "matrix")


def read_table(path, kind, text):
    rspecifier = f"ark{',t' if text else ''}:{path}"
    with SequentialReader(rspecifier, kind) as reader:
        return list(reader)


def numbers(value):
    return value.data if hasattr(value, "data") and hasattr(value, "rate") else np.asarray(value, np.float64)


def compare_pitch(found, expected, tolerance):
    beyond = (np.abs(found - expected) > np.array(tolerance["atol"])).any(axis=1)
    assert beyond.sum() <= tolerance["allowed_frames_beyond"]


def compare(key, found, expected, case):
    found, expected = numbers(found), numbers(expected)
    assert found.shape == expected.shape, f"{key}: shape {found.shape}, Kaldi's is {expected.shape}"
    tolerance = case["tolerance"]
    if case["kind"] == "pitch":
        return compare_pitch(found, expected, tolerance)
    if expected.size == 0:
        return None
    assert np.array_equal(np.isnan(found), np.isnan(expected)), f"{key}: NaN in different places"
    if case["kind"] == "process_pitch" and tolerance["delta_pitch_column_noise"]:
        assert np.abs(found[:, 2] - expected[:, 2]).max() < tolerance["delta_pitch_atol"]
        found, expected = np.delete(found, 2, 1), np.delete(expected, 2, 1)
    if isinstance(tolerance, str):
        np.testing.assert_array_equal(found, expected, err_msg=key)
    elif "atol_relative_to_matrix_max" in tolerance:
        limit = tolerance["atol_relative_to_matrix_max"] * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=limit, err_msg=key)
    else:
        np.testing.assert_allclose(found, expected, rtol=tolerance.get("rtol", 0), atol=tolerance.get("atol", 0), err_msg=key)
    return None


def compare_file(path, golden_path, case):
    """One output file against Kaldi's."""
    text = golden_path.endswith(".txt")
    if golden_path.endswith(".scp"):
        keys = [[line.split()[0] for line in open(name)] for name in (path, golden_path)]
        assert keys[0] == keys[1]
        archive, offset = open(path).read().split("\n")[0].split()[1].rsplit(":", 1)
        assert os.path.exists(archive) and int(offset) > 0
    elif golden_path.endswith((".mat",)) or "stats_global" in golden_path:
        compare("global", read_object(path, "matrix"), read_object(golden_path, "matrix"), case)
    elif golden_path.endswith("utt2dur"):
        assert open(path).read() == open(golden_path).read()
    elif golden_path.endswith("htkark"):
        compare_htk(path, golden_path)
    else:
        kind = table_kind(case)
        found, expected = read_table(path, kind, text), read_table(golden_path, kind, text)
        assert [key for key, _ in found] == [key for key, _ in expected]
        for (key, ours), (_, kaldis) in zip(found, expected):
            compare(key, ours, kaldis, case)


def compare_htk(path, golden_path):
    found, expected = open(path, "rb").read(), open(golden_path, "rb").read()
    start = expected.index(b" ") + 13
    assert found[:start] == expected[:start], "key and HTK header"
    np.testing.assert_allclose(np.frombuffer(found[start:], ">f4"), np.frombuffer(expected[start:], ">f4"), atol=5e-4)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_golden_case(case, golden_copy, monkeypatch):
    monkeypatch.chdir(golden_copy)
    if case["kind"] == "pipe_scp" and not sox_there():
        pytest.skip("sox is not installed; test_pipes_without_sox covers the pipes")
    status, errors = run_case(case)
    assert status == case.get("rc", 0), errors
    if case.get("rc", 0):
        assert errors
        return
    if "first_row" in case:
        with SequentialReader("ark,t:tmp/opt.txt", "matrix") as reader:
            ((_, feats),) = reader
        np.testing.assert_allclose(feats[0, :4], case["first_row"], atol=5e-4)
    for path in case.get("outputs", []):
        compare_file("tmp/" + path.replace("/", "__"), path, case)


SPECTRAL = [case for case in CASES if case["kind"] in ("fbank", "mfcc", "plp") and case.get("rc", 0) == 0]


@pytest.mark.parametrize("case", SPECTRAL, ids=[case["id"] for case in SPECTRAL])
def test_golden_case_with_kernels(case, golden_copy, monkeypatch):
    """The same, by the compiled kernels that large jobs use."""
    from sidamo.bin import _compute_feats

    monkeypatch.setattr(_compute_feats, "FAST_SECONDS", 0.0)
    test_golden_case(case, golden_copy, monkeypatch)


def sox_there():
    return subprocess.run("command -v sox", shell=True, capture_output=True).returncode == 0


def test_all_kinds_are_there(golden):
    """A manifest without some kind would pass silently."""
    assert {case["kind"] for case in CASES} >= KINDS
    assert len(CASES) > 140


def test_words_of_errors(golden_copy, monkeypatch):
    """What Kaldi says first stands in our message, too."""
    monkeypatch.chdir(golden_copy)
    words = {
        "err.samplefreq": "Waveform and config sample Frequency mismatch: 16000 .vs 8000",
        "err.upsample_needed": "--allow-upsample=true",
        "err.window_type": "Invalid window type foo",
        "err.too_many_bins": "--num-mel-bins too large",
        "err.two_bins": "Must have at least 3 mel bins",
        "err.highfreq": "low-freq 20 and high-freq 9000 vs. nyquist 8000",
        "err.vtln_range": "vtln-low 100 and vtln-high 8500, versus low-freq 20 and high-freq 8000",
        "err.odd_window": "odd number of samples",
        "err.numceps": "num-ceps: 24",
        "err.channel2": "has 2 channels but you specified channel 2",
        "err.missing_wav": "does_not_exist.wav",
        "err.bad_format": "Invalid output_format string foo",
        "cmvn.apply_missing": "george-0_0",
        "seg.stereo_nochannel": "st-z",
    }
    cases = {case["id"]: case for case in CASES}
    for name, text in words.items():
        _, errors = run_case(cases[name])
        assert text in errors, f"{name}: {errors}"


def test_pitch_features_are_kaldis_to_the_bit(golden_copy, monkeypatch):
    """With the seeded noise of the C library's generator, as the case feat.pp_repeat compares them with cmp."""
    monkeypatch.chdir(golden_copy)
    for source, name, options in (
        ("pitch8", "pp_default", []),
        ("pitch8", "pp_nonoise", ["--delta-pitch-noise-stddev=0"]),
        ("pitch16", "pp_all4", ["--delta-pitch-noise-stddev=0", "--add-raw-log-pitch=true"]),
    ):
        command = ["process-kaldi-pitch-feats", *options, f"ark:features/{source}.ark", "ark:tmp/pp.ark"]
        status, errors = run_tool(command)
        assert status == 0, errors
        assert open("tmp/pp.ark", "rb").read() == open(f"features/{name}.ark", "rb").read(), name


def test_vtln_by_speaker(golden_copy, monkeypatch):
    """--vtln-map with --utt2spk: the defect of Kaldi's compute-fbank-feats is mended."""
    monkeypatch.chdir(golden_copy)
    options = ["--dither=0", "--sample-frequency=8000"]
    status, errors = run_tool(
        ["compute-fbank-feats", *options, "--vtln-map=ark:inputs/vtln_spk.ark", "--utt2spk=ark:inputs/utt2spk8",
         "scp:inputs/wav8.scp", "ark:tmp/spk.ark"]
    )  # fmt: skip
    assert status == 0, errors
    warps = dict(line.split() for line in open("inputs/vtln_spk.ark"))
    speakers = dict(line.split() for line in open("inputs/utt2spk8"))
    for key, feats in read_table("tmp/spk.ark", "matrix", False):
        run_tool(
            [
                "compute-fbank-feats",
                *options,
                f"--vtln-warp={warps[speakers[key]]}",
                "scp:inputs/wav8.scp",
                "ark:tmp/x.ark",
            ]
        )
        np.testing.assert_array_equal(feats, dict(read_table("tmp/x.ark", "matrix", False))[key])


def test_pipes_without_sox(golden_copy, monkeypatch):
    """The entries of seg.pipes that need no sox, and its effects made by our own tools."""
    from sidamo.io.wave import read_wave

    monkeypatch.chdir(golden_copy)
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + ":" + os.environ["PATH"])
    expected = dict(read_table("segments/pipes.ark", "wave", False))
    wanted = [line for line in open("segments/pipes.scp") if "sox" not in line]
    assert len(wanted) >= 2
    with open("tmp/segments", "w") as out:
        out.write("p1 a 0.25 0.75\np2 a 0 0.3\np5 s 0 0.1 1\n")
    with open("tmp/wav.scp", "w") as out:
        out.write("a inputs/abiayi-Part5_30.wav\ns cat inputs/stereo.wav |\n")
    with open("tmp/pipes.scp", "w") as out:
        out.writelines(wanted)
    assert run_tool(["wav-copy", "scp:tmp/pipes.scp", "ark,scp:tmp/p.ark,tmp/p.scp"])[0] == 0
    found = dict(read_table("tmp/p.ark", "wave", False))
    segments = ["extract-segments", "--min-segment-length=0.05", "scp:tmp/wav.scp", "tmp/segments", "ark:tmp/q.ark"]
    assert run_tool(segments)[0] == 0
    found.update(read_table("tmp/q.ark", "wave", False))
    assert sorted(found) == sorted(expected)
    for key, wave in expected.items():
        np.testing.assert_array_equal(found[key].data, wave.data, err_msg=key)
    assert read_wave("inputs/stereo.wav").num_channels == 2


def test_wave_headers_by_command(golden_copy, monkeypatch):
    """The exit status and the copied bytes of every header variant; where Kaldi refuses what can be read, we read."""
    monkeypatch.chdir(golden_copy)
    read_here = {"bad_align", "bad_byterate", "bits24", "bits8", "float32", "mulaw", "odd_list_chunk_padded"}
    for name, expected in json.load(open("wavhdr/results.json")).items():
        with open("tmp/one.scp", "w") as out:
            out.write(f"{name} wavhdr/in/{name}.wav\n")
        status, errors = run_tool(["wav-copy", "scp:tmp/one.scp", "ark:tmp/o.ark"])
        assert status == (0 if name in read_here else expected["rc"]), (name, errors)
        if expected["rc"] == 0:
            ((_, wave),) = read_table("tmp/o.ark", "wave", False)
            assert (wave.num_samples, int(wave.data.sum())) == (expected["n_samples"], expected["sum"])
            header = open("tmp/o.ark", "rb").read()[len(name) + 1 : len(name) + 45]
            assert header.hex() == expected["copied_riff_header_hex"], name
