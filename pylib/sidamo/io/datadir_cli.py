"""The commands behind the data-directory scripts in utils/: parse, call, report.

``python -m sidamo.io.datadir_cli <command> <script> <arguments>``, where the script's header is the help text.
"""

import os
import sys

from sidamo.io import datadir, script
from sidamo.io.errors import DataError, UsageError

MOST = 20  # problems that are printed


def printer(path):
    """Messages as Kaldi prints them: ``<script>: message`` on standard output."""
    name = os.path.basename(path)
    return lambda message: print(f"{name}: {message}")


def folder(text):
    return text.rstrip("/") or "/"


def whole_number(text, what):
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{what} has to be a whole number, got '{text}'") from None


def validate(path, argv):
    from sidamo.io.datadir_check import CheckOptions, check_data_dir

    flags = ("--no-feats", "--no-text", "--no-wav", "--no-spk-sort", "--non-print", "--allow-empty-text")
    opts, (data,) = script.parse(argv, path, dict.fromkeys(flags, False), (1, 1))
    options = CheckOptions(
        feats=not opts.no_feats, text=not opts.no_text, wav=not opts.no_wav, spk_sort=not opts.no_spk_sort,
        non_print=opts.non_print, empty_text=opts.allow_empty_text,
    )  # fmt: skip
    problems, notes = check_data_dir(data, options)
    name = os.path.basename(path)
    for note in notes:
        print(f"{name}: WARNING: {note}", file=sys.stderr)
    for problem in problems[:MOST]:
        print(f"{name}: ERROR: {problem}", file=sys.stderr)
    if len(problems) > MOST:
        print(f"{name}: ... and {len(problems) - MOST} more", file=sys.stderr)
    if problems:
        return 1
    print(f"{name}: Successfully validated data-directory {data}")
    return 0


def fix(path, argv):
    from sidamo.io.datadir_fix import fix_data_dir

    options = {"--utt-extra-files": "", "--spk-extra-files": "", "--remove-empty-text": "false"}
    opts, (data,) = script.parse(argv, path, options, (1, 1))
    fix_data_dir(
        folder(data), utt_extra_files=opts.utt_extra_files.split(), spk_extra_files=opts.spk_extra_files.split(),
        remove_empty_text=opts.remove_empty_text == "true", say=printer(path),
    )  # fmt: skip


def split(path, argv):
    from sidamo.io.datadir_split import split_data

    opts, (data, parts) = script.parse(argv, path, {"--per-utt": False, "--per-reco": False}, (2, 2))
    if opts.per_utt and opts.per_reco:
        raise UsageError("--per-utt and --per-reco exclude each other")
    split_data(folder(data), whole_number(parts, "<num-to-split>"), opts.per_utt, opts.per_reco, say=printer(path))


def subset(path, argv):
    from sidamo.io.datadir_split import choose_utts

    flags = ("--per-spk", "--shortest", "--first", "--last", "--speakers")
    options = {**dict.fromkeys(flags, False), "--spk-list": "", "--utt-list": "", "--seed": 0}
    opts, rest = script.parse(argv, path, options, (2, 3))
    chosen = [name.strip("-").replace("-", "_") for name in options if name != "--seed"]
    chosen = [name for name in chosen if getattr(opts, name)]
    if len(chosen) > 1:
        raise UsageError("give one of " + ", ".join("--" + name.replace("_", "-") for name in chosen))
    how = chosen[0] if chosen else "even"
    if how in ("spk_list", "utt_list"):
        if len(rest) != 2:
            raise UsageError(f"expected --{how.replace('_', '-')} <list> <srcdir> <destdir>\n{script.usage(path)}")
        source, target = map(folder, rest)
        datadir.require_dir(source)
        wanted = set(datadir.keys_of(opts.spk_list or opts.utt_list))
        pairs = datadir.read_pairs(f"{source}/utt2spk", 1)
        utts = [utt for utt, spk in pairs if (utt if how == "utt_list" else spk) in wanted]
    else:
        if len(rest) != 3:
            raise UsageError(f"expected <srcdir> <num-utt> <destdir>\n{script.usage(path)}")
        source, number, target = folder(rest[0]), whole_number(rest[1], "<num-utt>"), folder(rest[2])
        datadir.require_dir(source)
        utts = choose_utts(source, number, how, opts.seed)
    if not utts:
        raise DataError("no utterance would remain", file=opts.spk_list or opts.utt_list or source,
                        mend=f"compare the list with: head -n 3 {source}/utt2spk")  # fmt: skip
    if os.path.realpath(source) == os.path.realpath(target):
        raise UsageError("<srcdir> and <destdir> have to be different")
    datadir.write_subsets(source, [(target, utts)])
    printer(path)(f"reducing #utt from {len(datadir.read_lines(f'{source}/utt2spk'))} to {len(utts)}")


def copy(path, argv):
    from sidamo.io.datadir_change import copy_data_dir

    names = ("--utt-prefix", "--utt-suffix", "--spk-prefix", "--spk-suffix")
    opts, (source, target) = script.parse(argv, path, {**dict.fromkeys(names, ""), "--validate-opts": ""}, (2, 2))
    source, target = folder(source), folder(target)
    copy_data_dir(source, target, opts.utt_prefix, opts.utt_suffix, opts.spk_prefix, opts.spk_suffix)
    printer(path)(f"copied data from {source} to {target}")
    return validate_made(path, source, target, opts.validate_opts.split())


def validate_made(path, source, target, options=()):
    """Validate a directory made from another one: what the source does not have is not required."""
    absent = {"feats.scp": "--no-feats", "text": "--no-text", "wav.scp": "--no-wav"}
    flags = [flag for name, flag in absent.items() if not os.path.isfile(f"{source}/{name}")]
    return validate(os.path.join(os.path.dirname(path), "validate_data_dir.sh"), [*flags, *options, target])


def combine(path, argv):
    from sidamo.io.datadir_change import combine_data

    opts, rest = script.parse(argv, path, {"--extra-files": "", "--skip-fix": "false"}, (2, None))
    target, *sources = map(folder, rest)
    combine_data(target, sources, opts.extra_files.split(), say=printer(path))
    if opts.skip_fix == "false":
        from sidamo.io.datadir_fix import fix_data_dir

        fix_data_dir(target, utt_extra_files=(), say=printer("fix_data_dir.sh"))


def ensure_durations(path, source, name):
    """Run get_utt2dur.sh or get_reco2dur.sh (beside the script) on the source; they do nothing if it has the file."""
    import subprocess

    program = os.path.join(os.path.dirname(path), f"get_{name}.sh")
    if subprocess.run([program, source], check=False).returncode:
        raise DataError("the durations are needed and could not be found out", file=f"{source}/{name}",
                        mend=f"utils/data/get_{name}.sh {source}")  # fmt: skip


def perturb_speed(path, argv):
    from sidamo.io import datadir_change

    opts, (factor, source, target) = script.parse(argv, path, {"--include-spk-prefix": "true"}, (3, 3))
    source, target = folder(source), folder(target)
    datadir_change.check_perturb_speed(factor, source, target)
    ensure_durations(path, source, "utt2dur")
    ensure_durations(path, source, "reco2dur")
    datadir_change.perturb_speed(factor, source, target, opts.include_spk_prefix == "true")
    printer(path)(f"generated speed-perturbed version of data in {source}, in {target}")
    validator = os.path.join(os.path.dirname(path), "validate_data_dir.sh")
    return validate(validator, ["--no-feats", "--no-text", "--allow-empty-text", target])


def perturb_volume(path, argv):
    from sidamo.io import datadir_change

    options = {"--scale-low": 0.125, "--scale-high": 2.0, "--reco2vol": "", "--write-reco2vol": "", "--force": "false"}
    opts, (data,) = script.parse(argv, path, options, (1, 1))
    changed = datadir_change.perturb_volume(
        folder(data), opts.scale_low, opts.scale_high, opts.reco2vol, opts.write_reco2vol, opts.force == "true",
        say=printer(path),
    )  # fmt: skip
    if changed:
        printer(path)(f"added volume perturbation to the data in {data}")


def modify_speakers(path, argv):
    from sidamo.io.datadir_change import modify_speaker_info

    options = {
        "--utts-per-spk-max": -1, "--seconds-per-spk-max": -1.0, "--respect-speaker-info": "true",
        "--respect-recording-info": "true",
    }  # fmt: skip
    opts, (source, target) = script.parse(argv, path, options, (2, 2))
    source, target = folder(source), folder(target)
    datadir.require_dir(source)
    if opts.seconds_per_spk_max > 0:
        ensure_durations(path, source, "utt2dur")
    before, after = modify_speaker_info(
        source, target, opts.utts_per_spk_max, opts.seconds_per_spk_max, opts.respect_speaker_info == "true",
        opts.respect_recording_info == "true",
    )  # fmt: skip
    printer(path)(f"copied data from {source} to {target}, number of speakers changed from {before} to {after}")
    flags = ["--no-spk-sort"] if opts.respect_speaker_info == "false" else []
    return validate_made(path, source, target, flags)


def remove_dup(path, argv):
    from sidamo.io.datadir_change import choose_without_repeats

    _, (most, source, target) = script.parse(argv, path, {}, (3, 3))
    source, target, most = folder(source), folder(target), whole_number(most, "<max-count>")
    if most < 2:
        raise UsageError(f"<max-count> has to be above 1, got {most}")
    datadir.require_dir(source)
    if os.path.realpath(source) == os.path.realpath(target):
        raise UsageError("the two directories have to be different")
    pairs = [(utt, b" ".join(rest.split())) for utt, rest in datadir.read_pairs(f"{source}/text")]
    kept = choose_without_repeats(pairs, most)
    datadir.write_subsets(source, [(target, kept)])
    print(f"Reduced number of utterances from {len(pairs)} to {len(kept)}")


COMMANDS = {
    "validate": validate,
    "fix": fix,
    "split": split,
    "subset": subset,
    "copy": copy,
    "combine": combine,
    "perturb-speed": perturb_speed,
    "perturb-volume": perturb_volume,
    "modify-speakers": modify_speakers,
    "remove-dup": remove_dup,
}


def main():
    command, path, *argv = sys.argv[1:]
    return script.run(COMMANDS[command], path, argv)


if __name__ == "__main__":
    sys.exit(main())
