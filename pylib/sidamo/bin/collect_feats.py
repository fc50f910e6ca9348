"""The end of steps/make_feats.sh: join what the jobs wrote, count, name what is missing.

Called as python3 -m sidamo.bin.collect_feats.
"""

import os
import re
import sys

from sidamo.bin import tool

USAGE = """Joins the scp files, utt2num_frames and utt2dur that the jobs of steps/make_feats.sh wrote, and checks that
at least 95% of the utterances are there.

Usage: collect_feats [options] <data-dir> <scp-of-JOB> <log-dir>
"""
SHARE = 0.95  # of the utterances must have features
SHOWN = 10  # missing utterances that are named


@tool
def main(argv=None) -> int:
    from sidamo.io.options import Options

    parser = Options(USAGE)
    parser.add("script", "make_feats.sh", "Name of the script, for the messages")
    parser.add("nj", 1, "Number of jobs")
    parser.add("logs", "", "Log of JOB, in which the reasons stand")
    parser.add("config-file", "", "Where a frame shift other than 10 ms stands")
    parser.add("utt2num-frames", True, "The jobs wrote <log-dir>/utt2num_frames.JOB")
    parser.add("utt2dur", True, "The jobs wrote <log-dir>/utt2dur.JOB")
    opts, (data, script, log_dir) = parser.parse([*(argv or sys.argv[1:]), *[]], num_args=3)
    feats = join(script, opts.nj)
    if opts.utt2num_frames:
        write(f"{data}/utt2num_frames", join(f"{log_dir}/utt2num_frames.JOB", opts.nj))
    if opts.utt2dur:
        write(f"{data}/utt2dur", join(f"{log_dir}/utt2dur.JOB", opts.nj))
    write(f"{data}/frame_shift", [f"{frame_shift(opts.config_file):g}\n"])
    wanted = keys(f"{data}/segments" if os.path.exists(f"{data}/segments") else f"{data}/utt2spk")
    there = {line.split(None, 1)[0] for line in feats}
    missing = [key for key in wanted if key not in there]
    report(missing, len(wanted), opts)
    if len(feats) < SHARE * len(wanted) or not feats:
        return 1
    write(f"{data}/feats.scp", feats)  # last: it says that the features are complete
    return 0


def join(pattern: str, nj: int) -> list:
    """Lines of the files of all jobs, in order."""
    lines = []
    for job in range(1, nj + 1):
        with open(pattern.replace("JOB", str(job)), encoding="utf-8") as part:
            lines += part.readlines()
    return sorted(lines, key=lambda line: line.split(None, 1)[0].encode())


def write(path: str, lines) -> None:
    """Write lines so that the file is either the old one or complete."""
    with open(path + ".tmp", "w", encoding="utf-8") as out:
        out.writelines(line.rstrip() + "\n" for line in lines)
    os.replace(path + ".tmp", path)


def keys(path: str) -> list:
    """First fields of a file."""
    with open(path, encoding="utf-8") as lines:
        return [line.split(None, 1)[0] for line in lines if line.strip()]


def frame_shift(config: str) -> float:
    """Seconds from one frame to the next, from the features' config file."""
    shift = 10.0
    if config:
        with open(config, encoding="utf-8") as lines:
            for line in lines:
                match = re.match(r"\s*--frame[-_]shift=([\d.]+)", line)
                shift = float(match.group(1)) if match else shift
    return shift / 1000.0


def report(missing: list, total: int, opts) -> None:
    """Say how many utterances are done and why the others are not."""
    reasons = {}
    for job in range(1, opts.nj + 1):
        name = opts.logs.replace("JOB", str(job))
        if missing and os.path.exists(name):
            find_reasons(name, set(missing), reasons)
    for key in missing[:SHOWN]:
        print(f"{opts.script}: no features for {key}: {reasons.get(key, 'see ' + opts.logs)}", file=sys.stderr)
    if len(missing) > SHOWN:
        print(f"{opts.script}: and {len(missing) - SHOWN} more, see {opts.logs}", file=sys.stderr)
    if missing:
        level = "error: fewer than 95% succeeded" if total - len(missing) < SHARE * total else "warning"
        print(f"{opts.script}: {level}; to leave the others out: utils/fix_data_dir.sh", file=sys.stderr)
    print(f"{opts.script}: done {total - len(missing)}/{total} utterances")


def find_reasons(log: str, missing: set, reasons: dict) -> None:
    """The first warning about each missing utterance."""
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith(("WARNING", "ERROR")):
                continue
            text = line.split(") ", 1)[-1].strip()
            for word in re.split(r"[\s(),:;']+", text):
                if word in missing:
                    reasons.setdefault(word, text)


if __name__ == "__main__":
    sys.exit(main())
