"""apply-cmvn: mean and variance normalization with statistics of compute-cmvn-stats."""

from sidamo.bin import tool

USAGE = """Apply cepstral mean and (optionally) variance normalization.
Per-utterance by default, or per-speaker if utt2spk option provided.

Usage: apply-cmvn [options] (<cmvn-stats-rspecifier>|<cmvn-stats-rxfilename>) <feats-rspecifier> <feats-wspecifier>
e.g.: apply-cmvn --utt2spk=ark:data/train/utt2spk scp:data/train/cmvn.scp scp:data/train/feats.scp ark:-
See also: modify-cmvn-stats, matrix-sum, compute-cmvn-stats
"""


@tool
def main(argv=None) -> int:
    from sidamo.io.errors import DataError, OptionError
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.add("utt2spk", "", "rspecifier for utterance to speaker map")
    parser.add("norm-vars", False, "If true, normalize variances.")
    parser.add("norm-means", True, "You can set this to false to turn off mean normalization.")
    parser.add("skip-dims", "", "Dimensions to skip normalization of (colon-separated list of integers)")
    parser.add("reverse", False, "If true, apply CMVN in a reverse sense, so as to transform zero-mean, unit-variance "
               "input into data with the given mean and variance.")  # fmt: skip
    opts, (stats_in, feats_in, feats_out) = parser.parse(argv, num_args=3)
    if opts.norm_vars and not opts.norm_means:
        raise OptionError("You cannot normalize the variance but not the mean.")
    skip = skipped_dims(opts.skip_dims)
    stats_of = statistics_reader(stats_in, opts.utt2spk) if opts.norm_means else None
    from sidamo.feats.cmvn import fake_stats, normalize

    done = failed = 0
    with SequentialReader(feats_in, "matrix") as reader, Writer(feats_out, "matrix") as out:
        for key, feats in reader:
            if stats_of is not None:
                stats = stats_of(key)
                if stats is None:
                    warn(f"No normalization statistics available for key {key}, producing no output for this utterance")
                    failed += 1
                    continue
                try:
                    if skip:
                        stats = fake_stats(stats, skip)
                    if len(feats):
                        feats = normalize(feats, stats, opts.norm_vars, opts.reverse)
                except DataError as error:
                    raise error.locate(key=key) from None
            out.write(key, feats)
            done += 1
    if stats_of is None:
        info(f"Copied {done} utterances.")
    else:
        info(f"Applied cepstral mean {'and variance ' if opts.norm_vars else ''}normalization to {done} utterances,"
             f" errors on {failed}")  # fmt: skip
    return 0 if done else 1


def skipped_dims(text: str) -> list:
    """The dimensions of --skip-dims."""
    from sidamo.io.errors import OptionError

    try:
        return [int(word) for word in text.split(":")] if text else []
    except ValueError:
        raise OptionError(f"Bad --skip-dims option (should be colon-separated list of integers): {text!r}") from None


def statistics_reader(name: str, utt2spk: str):
    """Function from an utterance to its statistics, or None where the table has none."""
    from sidamo.io.errors import OptionError
    from sidamo.io.tables import MappedReader, is_rspecifier, read_object

    if not is_rspecifier(name):
        if utt2spk:
            raise OptionError("--utt2spk option not compatible with rxfilename as input (did you forget ark:?)")
        stats = read_object(name, "matrix").astype(float)
        return lambda key: stats
    reader = MappedReader(name, "matrix", utt2spk)
    return lambda key: reader[key].astype(float) if key in reader else None
