"""The steps that make features: what they write, what they say of bad input, segments, pipes, long recordings."""

import os
import re
import sys

import numpy as np
import pytest
from sidamo.io.tables import SequentialReader
from sidamo.io.wave import Wave, wave_header, write_wave

PATH = {"PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"]}
STEPS = ["make_fbank.sh", "make_mfcc.sh", "make_plp.sh", "make_fbank_pitch.sh", "make_mfcc_pitch.sh"]


def write(path, samples, rate=16000):
    with open(path, "wb") as stream:
        write_wave(stream, Wave(rate, np.asarray(samples)))


def lines(path):
    return path.read_text().splitlines()


def table(path, kind="matrix"):
    with SequentialReader(f"scp:{path}", kind) as reader:
        return dict(reader)


@pytest.fixture()
def data(tmp_path):
    """Twenty utterances of two speakers; one comes from a pipe, one is FLAC."""
    import soundfile

    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    scp, utt2spk = [], []
    for i in range(20):
        utt = f"s{i % 2}-u{i:02d}"
        samples = (1000 * rng.standard_normal(4000 + 100 * i)).astype(np.int16)
        write(tmp_path / f"{utt}.wav", samples)
        name = f"{tmp_path}/{utt}.wav"
        if i == 3:
            name = f"cat {name} |"
        if i == 4:
            name = f"{tmp_path}/{utt}.flac"
            soundfile.write(name, samples, 16000)
        scp.append(f"{utt} {name}\n")
        utt2spk.append(f"{utt} s{i % 2}\n")
    (folder / "wav.scp").write_text("".join(sorted(scp)))
    (folder / "utt2spk").write_text("".join(sorted(utt2spk)))
    spk2utt = [" ".join([f"s{s}", *sorted(u.split()[0] for u in utt2spk if u.startswith(f"s{s}"))]) for s in (0, 1)]
    (folder / "spk2utt").write_text("\n".join(spk2utt) + "\n")
    (tmp_path / "x.conf").write_text("# dither off\n--dither=0\n")
    (tmp_path / "pitch.conf").write_text("")
    return tmp_path


def make(run, script, data, *options, folder="data"):
    kind = re.match("make_(fbank|mfcc|plp)", script).group(1)
    command = [f"steps/{script}", "--nj", "2", f"--{kind}-config", f"{data}/x.conf", *options]
    return run([*command, f"{data}/{folder}", f"{data}/log", f"{data}/feats"], env=PATH)


@pytest.mark.parametrize("script,dim", list(zip(STEPS, (23, 13, 13, 26, 16))))
def test_features_of_a_data_directory(data, run, script, dim):
    done = make(run, script, data)
    assert done.returncode == 0, done.stderr
    assert "done 20/20 utterances" in done.stdout
    feats = table(data / "data/feats.scp")
    assert len(feats) == 20 and {matrix.shape[1] for matrix in feats.values()} == {dim}
    frames = dict(line.split() for line in lines(data / "data/utt2num_frames"))
    assert {key: str(len(matrix)) for key, matrix in feats.items()} == frames
    durations = dict(line.split() for line in lines(data / "data/utt2dur"))
    assert float(durations["s0-u00"]) == 0.25
    assert (data / "data/frame_shift").read_text() == "0.01\n"
    assert list((data / "data/conf").iterdir())
    assert run(f"utils/validate_data_dir.sh --no-text {data}/data", env=PATH).returncode == 0


def test_compression_and_speakers_statistics(data, run):
    assert make(run, "make_fbank.sh", data, "--compress", "false").returncode == 0
    exact = table(data / "data/feats.scp")
    assert make(run, "make_fbank.sh", data).returncode == 0
    for key, matrix in table(data / "data/feats.scp").items():
        assert 0 < np.abs(matrix - exact[key]).max() < 0.5
    done = run(f"steps/compute_cmvn_stats.sh {data}/data {data}/log {data}/feats", env=PATH)
    assert done.returncode == 0 and "done 2/2 speakers" in done.stdout, done.stderr
    stats = table(data / "data/cmvn.scp")
    assert stats["s0"][0, -1] == sum(len(m) for key, m in exact.items() if key.startswith("s0"))
    done = run(f"steps/compute_cmvn_stats.sh --fake true {data}/data {data}/log {data}/feats", env=PATH)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(table(data / "data/cmvn.scp")["s1"][:, :2], [[0, 0], [1, 1]])
    done = run(f"steps/compute_cmvn_stats.sh --fake-dims 0:2 {data}/data {data}/log {data}/feats", env=PATH)
    assert done.returncode == 0, done.stderr
    stats = table(data / "data/cmvn.scp")["s1"]
    assert stats[0, 0] == stats[0, 2] == 0 != stats[0, 1] and stats[1, 0] == stats[0, -1]


def test_jobs_give_the_same_numbers(data, run):
    """However the list is split: the dither belongs to the utterance."""
    (data / "x.conf").write_text("--dither=1\n")
    found = []
    for nj in ("1", "3"):
        assert make(run, "make_mfcc.sh", data, f"--nj={nj}", "--compress=false").returncode == 0
        found.append(table(data / "data/feats.scp"))
    for key, matrix in found[0].items():
        np.testing.assert_array_equal(matrix, found[1][key])


def test_segments(data, run):
    folder = data / "data"
    wavs = lines(folder / "wav.scp")
    (folder / "segments").write_text("".join(f"{w.split()[0]}-a {w.split()[0]} 0.02 0.2\n" for w in wavs))
    (folder / "utt2spk").write_text("".join(f"{w.split()[0]}-a {w[:2]}\n" for w in wavs))
    run(f"utils/utt2spk_to_spk2utt.pl {folder}/utt2spk > {folder}/spk2utt", env=PATH)
    for script in ("make_fbank.sh", "make_fbank_pitch.sh"):
        done = make(run, script, data)
        assert done.returncode == 0, done.stderr
        assert {len(matrix) for matrix in table(folder / "feats.scp").values()} == {16}


def test_voice_activity(data, run):
    assert make(run, "make_mfcc.sh", data).returncode == 0
    done = run(f"steps/compute_vad_decision.sh --nj 3 {data}/data {data}/log {data}/vad", env=PATH)
    assert done.returncode == 0 and "done 20/20" in done.stdout, done.stderr
    voiced = table(data / "data/vad.scp", "vector")
    assert all(set(vector) <= {0.0, 1.0} for vector in voiced.values()) and len(voiced) == 20


def test_one_bad_file_is_named_many_are_a_failure(data, run):
    bad = data / "s1-u01.wav"
    bad.write_bytes(b"this is not audio")
    done = make(run, "make_fbank.sh", data)
    assert done.returncode == 0, done.stderr
    assert "done 19/20" in done.stdout
    assert "no features for s1-u01" in done.stderr and "not audio" in done.stderr
    (data / "s1-u05.wav").unlink()
    done = make(run, "make_fbank.sh", data)
    assert done.returncode == 1
    assert "fewer than 95% succeeded" in done.stderr and "s1-u05" in done.stderr
    assert not (data / "data/feats.scp").exists(), "a failed stage leaves no feats.scp"


def test_wrong_rate_names_the_options(data, run):
    (data / "x.conf").write_text("--sample-frequency=8000\n")
    done = make(run, "make_fbank.sh", data)
    assert done.returncode == 1
    assert "16000 .vs 8000" in done.stderr + (data / "log/make_fbank_data.1.log").read_text()
    assert "--allow-downsample=true" in (data / "log/make_fbank_data.1.log").read_text()
    (data / "x.conf").write_text("--sample-frequency=8000\n--allow-downsample=true\n")
    assert make(run, "make_fbank.sh", data).returncode == 0


def test_warp_factors(data, run):
    (data / "data/spk2warp").write_text("s0 0.9\ns1 1.1\n")
    done = make(run, "make_mfcc.sh", data, "--compress", "false")
    assert done.returncode == 0, done.stderr
    warped = table(data / "data/feats.scp")
    (data / "data/spk2warp").unlink()
    assert make(run, "make_mfcc.sh", data, "--compress", "false").returncode == 0
    plain = table(data / "data/feats.scp")
    assert all(np.abs(warped[key] - plain[key]).max() > 0.1 for key in plain)


@pytest.mark.parametrize("script", [*STEPS, "make_feats.sh", "compute_cmvn_stats.sh", "compute_vad_decision.sh"])
def test_messages(data, run, script):
    assert run(f"steps/{script} --help", env=PATH).returncode == 0
    assert "Example: steps/" in run(f"steps/{script} --help", env=PATH).stdout
    kind = "fbank" if script == "make_feats.sh" else ""
    for arguments, words in (
        ("", "usage: steps/"),
        ("--no-such-option 1 x", "no such option: --no-such-option"),
        (f"{kind} {data}/none", "missing"),
    ):
        done = run(f"steps/{script} {arguments}", env=PATH)
        assert done.returncode == 1 and words in done.stderr, (arguments, done.stderr)


def test_missing_config(data, run):
    done = run(f"steps/make_fbank.sh --fbank-config {data}/none.conf {data}/data", env=PATH)
    assert done.returncode == 1 and "no such file" in done.stderr
    done = run(f"steps/make_feats.sh nonsense {data}/data", env=PATH)
    assert done.returncode == 1 and "no such kind of features: nonsense" in done.stderr


MEASURE = """
import sys
from sidamo.bin.compute_fbank_feats import main
status = main(sys.argv[1:])
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
sys.exit(status)
"""


def test_long_recording_in_little_memory(tmp_path, run):
    """Three hours in pieces: less memory than the recording, written whole, and the same as the first minute alone."""
    if not os.path.exists("/proc/self/status"):
        pytest.skip("peak memory is read from /proc")
    rng = np.random.default_rng(0)
    minute = (1000 * rng.standard_normal(16000 * 60)).astype(np.int16)
    with open(tmp_path / "long.wav", "wb") as stream:
        stream.write(wave_header(1, 180 * len(minute), 16000))
        for _ in range(180):
            stream.write(minute.tobytes())
    write(tmp_path / "short.wav", minute)
    (tmp_path / "wav.scp").write_text(f"long {tmp_path}/long.wav\nshort {tmp_path}/short.wav\n")
    target = f"ark,scp:{tmp_path}/f.ark,{tmp_path}/f.scp"
    for compress in ("true", "false"):
        options = ["--dither=0", f"--compress={compress}"]
        done = run([sys.executable, "-c", MEASURE, *options, f"scp:{tmp_path}/wav.scp", target], env=PATH)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) < 180 * 1024, f"{int(done.stdout) // 1024} MiB; the recording alone has 330"
        feats = table(tmp_path / "f.scp")
        assert feats["long"].shape == (1079998, 23)
        limit = 0.3 if compress == "true" else 1e-4
        np.testing.assert_allclose(feats["long"][: len(feats["short"])], feats["short"], atol=limit)


def test_pieces_are_written_as_whole_matrices_are(tmp_path, run, monkeypatch):
    """Byte for byte, compressed and not."""
    from sidamo.bin import _compute_feats
    from sidamo.bin.compute_mfcc_feats import main

    write(tmp_path / "x.wav", (1000 * np.random.default_rng(0).standard_normal(60000)).astype(np.int16))
    (tmp_path / "wav.scp").write_text(f"x {tmp_path}/x.wav\n")
    for method in ("0", "1", "2", "3"):
        options = [f"--compress={'false' if method == '0' else 'true'}", f"--compression-method={method}"]
        if method == "0":
            options = []
        found = []
        for limit in (120000, 10):
            monkeypatch.setattr(_compute_feats, "LONG_FRAMES", limit)
            assert main([*options, f"scp:{tmp_path}/wav.scp", f"ark:{tmp_path}/f.ark"]) == 0
            found.append((tmp_path / "f.ark").read_bytes())
        assert found[0] == found[1], f"compression method {method}"
