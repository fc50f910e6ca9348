"""Noisy and reverberated data directories: their wav.scp runs, their ratios are right, their names hold together."""

import os
import re
import sys

import numpy as np
import pytest
from sidamo.io.tables import SequentialReader
from sidamo.io.wave import Wave, write_wave

PATH = {"PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"]}


def write(path, samples, rate=8000):
    with open(path, "wb") as stream:
        write_wave(stream, Wave(rate, np.asarray(samples)))


@pytest.fixture()
def data(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("data", "noise"):
        (tmp_path / name).mkdir()
    scp, noises = [], []
    for i in range(3):
        write(tmp_path / f"s{i}.wav", (3000 * np.sin(np.arange(8000 + 800 * i) / 9)).astype(np.int16))
        scp.append(f"spk-u{i} " + (f"cat {tmp_path}/s{i}.wav |" if i == 1 else f"{tmp_path}/s{i}.wav"))
        write(tmp_path / f"n{i}.wav", (500 * rng.standard_normal(2000)).astype(np.int16))
        noises.append(f"n{i} {tmp_path}/n{i}.wav")
    response = np.zeros(800)
    response[40], response[400] = 16384, 4000
    write(tmp_path / "rir.wav", response)
    (tmp_path / "data/wav.scp").write_text("\n".join(scp) + "\n")
    (tmp_path / "data/utt2spk").write_text("".join(f"spk-u{i} spk\n" for i in range(3)))
    (tmp_path / "data/spk2utt").write_text("spk spk-u0 spk-u1 spk-u2\n")
    (tmp_path / "data/text").write_text("".join(f"spk-u{i} hello {i}\n" for i in range(3)))
    (tmp_path / "data/feats.scp").write_text("".join(f"spk-u{i} old.ark:{i}\n" for i in range(3)))
    (tmp_path / "noise/wav.scp").write_text("\n".join(noises) + "\n")
    (tmp_path / "rir_list").write_text(f"--rir-id 1 --room-id r1 {tmp_path}/rir.wav\n")
    (tmp_path / "noise_list").write_text(
        f"--noise-id 1 --noise-type point-source --bg-fg-type foreground {tmp_path}/n0.wav\n"
        f"--noise-id 2 --noise-type isotropic --room-linkage r1 {tmp_path}/n1.wav\n"
    )
    return tmp_path


def waves(path, monkeypatch):
    monkeypatch.setenv("PATH", PATH["PATH"])
    with SequentialReader(f"scp:{path}/wav.scp", "wave") as reader:
        return {key: wave.samples[0] for key, wave in reader}


def test_noise(data, run, monkeypatch):
    command = "steps/data/augment_data_dir.py --utt-suffix noise --bg-snrs 10 --fg-snrs 10 --num-bg-noises 1"
    done = run(f"{command} --bg-noise-dir {data}/noise {data}/data {data}/out", env=PATH)
    assert done.returncode == 0, done.stderr
    assert "done 3 recordings" in done.stdout
    clean, noisy = waves(data / "data", monkeypatch), waves(data / "out", monkeypatch)
    assert sorted(noisy) == [f"spk-u{i}-noise" for i in range(3)]
    for key, before in clean.items():
        after = noisy[f"{key}-noise"]
        assert len(after) == len(before)
        scale = np.dot(after, before) / np.dot(before, before)
        ratio = 10 * np.log10(np.var(scale * before) / np.var(after - scale * before))
        assert ratio == pytest.approx(10.0, abs=0.5)
    assert not (data / "out/feats.scp").exists()
    assert (data / "out/text").read_text().startswith("spk-u0-noise hello 0")
    assert (data / "out/utt2uniq").read_text().startswith("spk-u0-noise spk-u0\n")
    assert run(f"utils/validate_data_dir.sh --no-feats {data}/out", env=PATH).returncode == 0
    text = (data / "out/wav.scp").read_text()
    run(f"{command} --bg-noise-dir {data}/noise {data}/data {data}/out", env=PATH)
    assert (data / "out/wav.scp").read_text() == text, "the same seed gives the same copy"


def test_foreground_noises_follow_each_other(data, run):
    done = run(
        f"steps/data/augment_data_dir.py --fg-noise-dir {data}/noise --fg-interval 0.25 {data}/data {data}/out",
        env=PATH,
    )
    assert done.returncode == 0, done.stderr
    starts = re.search(r"--start-times='([^']*)'", (data / "out/wav.scp").read_text()).group(1)
    assert starts == "0,0.5"


def test_rooms(data, run, monkeypatch):
    done = run(
        f"steps/data/reverberate_data_dir.py --rir-set-parameters '1.0, {data}/rir_list'"
        f" --noise-set-parameters={data}/noise_list --num-replications 2 --include-original-data true"
        f" --max-noises-per-minute 120 --random-seed 3 {data}/data {data}/out",
        env=PATH,
    )
    assert done.returncode == 0, done.stderr
    assert "done 9 recordings" in done.stdout
    found = waves(data / "out", monkeypatch)
    assert sorted(found) == sorted([f"{p}spk-u{i}" for p in ("", "rvb1-", "rvb2-") for i in range(3)])
    for i in range(3):
        assert len(found[f"rvb1-spk-u{i}"]) == len(found[f"spk-u{i}"])
        assert not np.array_equal(found[f"rvb1-spk-u{i}"], found[f"spk-u{i}"])
    assert sorted(os.listdir(data / "out")) == ["spk2utt", "text", "utt2spk", "utt2uniq", "wav.scp"] or not [
        name for name in os.listdir(data / "out") if name.startswith(".part")
    ]
    assert run(f"utils/validate_data_dir.sh --no-feats {data}/out", env=PATH).returncode == 0


def test_room_without_noise_is_the_convolution(data, run, monkeypatch):
    run(f"steps/data/reverberate_data_dir.py --rir-set-parameters={data}/rir_list {data}/data {data}/out", env=PATH)
    clean, room = waves(data / "data", monkeypatch), waves(data / "out", monkeypatch)
    response = np.zeros(800)
    response[40], response[400] = 0.5, 4000 / 32768
    for key, before in clean.items():
        expected = np.convolve(before, response)[40 : 40 + len(before)]
        after = room[key]
        scale = np.dot(after, expected) / np.dot(expected, expected)
        assert np.abs(after - scale * expected).max() < 2.0


@pytest.mark.parametrize(
    "command,words",
    [
        ("augment_data_dir.py {d}/data {d}/out", "--fg-noise-dir or --bg-noise-dir"),
        ("augment_data_dir.py --fg-noise-dir {d}/noise --fg-snrs a:b {d}/data {d}/out", "numbers separated by colons"),
        ("augment_data_dir.py --fg-nois x {d}/data {d}/out", "--fg-noise-dir"),
        ("reverberate_data_dir.py {d}/data {d}/out", "--rir-set-parameters is missing"),
        ("reverberate_data_dir.py --rir-set-parameters x,{d}/rir_list {d}/data {d}/out", "expected a probability"),
        ("reverberate_data_dir.py --rir-set-parameters {d}/noise_list {d}/data {d}/out", "--rir-id is missing"),
        ("reverberate_data_dir.py --rir-set-parameters {d}/none {d}/data {d}/out", "No such file"),
        ("augment_data_dir.py --fg-noise-dir {d}/noise {d}/none {d}/out", "no such"),
    ],
)
def test_bad_calls(data, run, command, words):
    done = run("steps/data/" + command.format(d=data), env=PATH)
    assert done.returncode == 1
    assert words in done.stderr, done.stderr


def test_wav_reverberate_messages(data, run):
    write(data / "fast.wav", np.ones(100), 16000)
    for options, status, words in (
        (f"--impulse-response={data}/fast.wav", 255, "its sample rate is 16000, that of the input 8000"),
        (f"--additive-signals={data}/n0.wav --snrs=10", 255, "0 numbers for 1 additive signals"),
        (f"--impulse-response={data}/rir.wav --rir-channel=2", 134, "asks for channel 2"),
    ):
        done = run(f"wav-reverberate {options} {data}/s0.wav {data}/out.wav", env=PATH)
        assert done.returncode == status and words in done.stderr, done.stderr


COMMANDS = [
    "wav-perturb --speed=0.9 {d}/s0.wav - |",
    "cat {d}/s0.wav | wav-perturb --volume=1.5 - - |",
    "wav-perturb --speed=1.1 --volume=0.5 '{d}/s0.wav' - | wav-reverberate --impulse-response={d}/rir.wav - - |",
    "wav-reverberate --shift-output=true --additive-signals='wav-reverberate --duration=1 {d}/n0.wav - |,{d}/n1.wav'"
    " --start-times='0,0.5' --snrs='10,5' {d}/s0.wav - |",
    "wav-copy {d}/s0.wav - |",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_our_pipes_need_no_shell(data, monkeypatch, command):
    """In this process or through a shell: the same bytes; and the shell is really not used."""
    from sidamo.bin import _inline
    from sidamo.io import streams

    monkeypatch.setenv("PATH", PATH["PATH"])
    name = command.format(d=data)
    monkeypatch.setattr(streams, "inline_command", None)
    with streams.open_rxfilename(name) as stream:
        expected = stream.read()
    _inline.enable()
    monkeypatch.setattr(streams, "_PipeReader", None)
    with streams.open_rxfilename(name) as stream:
        assert stream.read() == expected
    assert len(expected) > 1000


@pytest.mark.parametrize(
    "command",
    [
        "cat {d}/s0.wav; true |", "cat {d}/*.wav |", "cat $HOME/x |", "sox {d}/s0.wav -t wav - |", "cat {d}/a {d}/b |",
        "wav-copy scp:x ark:- |", "head -c 100 {d}/s0.wav | wav-perturb - - |", "wav-perturb 'open |", "cat - |",
        "wav-perturb {d}/s0.wav {d}/out.wav |",
    ],
)  # fmt: skip
def test_other_pipes_go_to_the_shell(data, command):
    from sidamo.bin._inline import run

    assert run(command.format(d=data)[:-1].strip()) is None


def test_errors_of_our_pipes(data, monkeypatch):
    from sidamo.bin._inline import run
    from sidamo.io.errors import DataError

    for command, words in (
        ("wav-perturb --speed=0 {d}/s0.wav -", "between 0.1 and 10"),
        ("wav-perturb --sped=1 {d}/s0.wav -", "did you mean --speed"),
        ("cat {d}/none.wav | wav-perturb - -", "none.wav"),
        ("wav-perturb - -", "standard input"),
    ):
        with pytest.raises(DataError, match=words):
            run(command.format(d=data))
