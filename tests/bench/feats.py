"""Speed of the feature front end, as ratios against a peer: a Python loop over kaldi-native-fbank, writing with
kaldiio.

Example: .venv/bin/python tests/bench/feats.py
         .venv/bin/python tests/bench/feats.py --minutes 240 --rounds 3

Every ratio is the median over rounds of (time of the peer) / (time of ours), the two run one after the other, one
thread each. 16 kHz noise shaped like speech, 10 s a file, no dither. What is asked for: at least 10 in memory, at
least 6 for the whole process on an hour of audio; compressed writing at most twice as long; two jobs at least 1.8
times one.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np  # noqa: E402

RATE = 16000
SECONDS = 10  # a file
REPEATS = 16  # of the list where two jobs are compared with one, so that starting up (0.2 s each) is a small part
PEER = """
import sys
import kaldi_native_fbank as knf, kaldiio, numpy as np, soundfile
kind, scp, ark, out = sys.argv[1:]
opts = knf.FbankOptions() if kind == "fbank" else knf.MfccOptions()
opts.frame_opts.dither = 0.0
opts.mel_opts.num_bins = 80 if kind == "fbank" else 23
make = knf.OnlineFbank if kind == "fbank" else knf.OnlineMfcc
with kaldiio.WriteHelper(f"ark,scp:{ark},{out}") as writer:
    for line in open(scp):
        key, name = line.split()
        wave, rate = soundfile.read(name, dtype="int16")
        computer = make(opts)
        computer.accept_waveform(rate, wave.astype(np.float32))
        computer.input_finished()
        writer(key, np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)]))
"""
OPTIONS = {"fbank": ["--num-mel-bins=80"], "mfcc": ["--num-mel-bins=23", "--use-energy=true"]}


def speechlike(rng, seconds: float) -> np.ndarray:
    """Noise with a falling spectrum and an envelope of syllables, int16."""
    n = int(seconds * RATE)
    noise = np.cumsum(rng.standard_normal(n)) if n < 16 else np.convolve(rng.standard_normal(n), [1, 0.9, 0.7, 0.4], "same")
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(n) / RATE + rng.uniform(0, 6))
    return (noise * envelope * 1500).astype(np.int16)


def clock(function) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def paired(rounds: int, ours, peer):
    """Medians (ratio, our time, the peer's time) over rounds of one after the other, after one that does not count."""
    ours()
    peer()
    times = [(clock(peer), clock(ours)) for _ in range(rounds)]
    ratio = statistics.median(p / o for p, o in times)
    return ratio, statistics.median(o for _, o in times), statistics.median(p for p, _ in times)


def show(what: str, result, seconds: float):
    """One line of results."""
    ratio, ours, peer = result
    print(f"{what:<44} ratio {ratio:6.2f}   ours {ours:6.3f} s ({seconds / ours:6.0f} x real time)  peer {peer:7.3f} s",
          flush=True)  # fmt: skip


def in_memory(kind: str, rounds: int):
    """A minute of audio, from samples to a matrix."""
    import kaldi_native_fbank as knf
    from sidamo.feats.fbank import Fbank, FbankOptions
    from sidamo.feats.mel import MelOptions
    from sidamo.feats.mfcc import Mfcc, MfccOptions
    from sidamo.feats.window import FrameOptions

    wave = speechlike(np.random.default_rng(0), 60.0)
    floats = wave.astype(np.float32)
    frames = FrameOptions(dither=0.0)
    if kind == "fbank":
        computer, opts, make = (
            Fbank(FbankOptions(), frames, MelOptions(num_mel_bins=80)),
            knf.FbankOptions(),
            knf.OnlineFbank,
        )
    else:
        computer, opts, make = Mfcc(MfccOptions(), frames, MelOptions()), knf.MfccOptions(), knf.OnlineMfcc
    opts.frame_opts.dither, opts.mel_opts.num_bins = 0.0, 80 if kind == "fbank" else 23
    found = {}

    def peer():
        online = make(opts)
        online.accept_waveform(RATE, floats)
        online.input_finished()
        found["peer"] = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])

    def ours():
        found["ours"] = computer.compute(wave)

    show(f"{kind}, in memory, numpy (small jobs)", paired(rounds, ours, peer), 60.0)
    if computer.accelerate():
        show(f"{kind}, in memory, compiled kernels", paired(rounds, ours, peer), 60.0)
    difference = np.abs(found["ours"] - found["peer"]).max()
    print(f"    largest difference from kaldi-native-fbank: {difference:.1e}")


def make_list(folder: str, minutes: float) -> str:
    """Files of 10 s and their wav.scp."""
    from sidamo.io.wave import Wave, write_wave

    rng = np.random.default_rng(1)
    pool = [speechlike(rng, SECONDS) for _ in range(12)]
    scp = os.path.join(folder, "wav.scp")
    with open(scp, "w") as out:
        for i in range(int(minutes * 60 / SECONDS)):
            name = os.path.join(folder, f"u{i:05d}.wav")
            with open(name, "wb") as stream:
                write_wave(stream, Wave(RATE, np.roll(pool[i % len(pool)], i)))
            out.write(f"u{i:05d} {name}\n")
    return scp


def tool(kind: str, scp: str, folder: str, *options):
    """A call of our program."""
    program = os.path.join(os.path.dirname(sys.executable), f"compute-{kind}-feats")
    target = f"ark,scp:{folder}/{os.path.basename(scp)}.ark,{folder}/{os.path.basename(scp)}.out.scp"
    command = [program, "--dither=0", *OPTIONS[kind], *options, f"scp:{scp}", target]

    def run():
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)

    run.command = command
    return run


def peer_process(kind: str, scp: str, folder: str):
    """A call of the peer in a process of its own."""
    command = [sys.executable, "-c", PEER, kind, scp, f"{folder}/peer.ark", f"{folder}/peer.scp"]
    return lambda: subprocess.run(command, check=True)


def two_jobs(scp: str, folder: str, rounds: int):
    """One job's time to that of two jobs with half of the list each, the list taken REPEATS times under new names."""
    lines = [f"r{i}-{line}" for i in range(REPEATS) for line in open(scp)]
    halves = (lines[: len(lines) // 2], lines[len(lines) // 2 :])
    commands = []
    for name, part in (("all", lines), ("half0", halves[0]), ("half1", halves[1])):
        with open(f"{folder}/{name}.scp", "w") as out:
            out.writelines(part)
        commands.append(tool("fbank", f"{folder}/{name}.scp", folder).command)

    def together():
        jobs = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands[1:]]
        assert [job.wait() for job in jobs] == [0, 0]

    def alone():
        subprocess.run(commands[0], check=True, stderr=subprocess.DEVNULL)

    return paired(rounds, together, alone)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="audio in the list")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; medians of {args.rounds} rounds")
    for kind in ("fbank", "mfcc"):
        in_memory(kind, args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        scp = make_list(folder, args.minutes)
        seconds = args.minutes * 60.0
        for kind in ("fbank", "mfcc"):
            ours, peer = tool(kind, scp, folder), peer_process(kind, scp, folder)
            show(f"{kind}, whole process, {args.minutes:g} min", paired(args.rounds, ours, peer), seconds)
        plain, packed = tool("fbank", scp, folder), tool("fbank", scp, folder, "--compress=true")
        show("fbank, compressed (peer: ours, uncompressed)", paired(args.rounds, packed, plain), seconds)
        show("fbank, two jobs (peer: ours, one job)", two_jobs(scp, folder, args.rounds), REPEATS * seconds)


if __name__ == "__main__":
    main()
