"""compute-cmvn-stats: sums for mean and variance normalization, by utterance, by speaker, or of everything."""

from sidamo.bin import tool

USAGE = """Compute cepstral mean and variance normalization statistics.
If wspecifier provided: per-utterance by default, or per-speaker if spk2utt option provided; if wxfilename: global

Usage: compute-cmvn-stats [options] <feats-rspecifier> (<stats-wspecifier>|<stats-wxfilename>)
e.g.: compute-cmvn-stats --spk2utt=ark:data/train/spk2utt scp:data/train/feats.scp ark,scp:cmvn.ark,cmvn.scp
"""


@tool
def main(argv=None) -> int:
    from sidamo.io.errors import OptionError
    from sidamo.io.log import info
    from sidamo.io.options import Options
    from sidamo.io.tables import RandomAccessReader, Writer, is_wspecifier

    parser = Options(USAGE)
    parser.add("spk2utt", "", "rspecifier for speaker to utterance-list map")
    parser.add("binary", True, "write in binary mode (applies only to global CMN/CVN)")
    parser.add("weights", "", "rspecifier for a vector of floats for each utterance, that's a per-frame weight.")
    opts, (rspecifier, output) = parser.parse(argv, num_args=2)
    counts = {"done": 0, "failed": 0}
    weights = RandomAccessReader(opts.weights, "vector") if opts.weights else None
    if is_wspecifier(output):
        with Writer(output, "matrix") as out:
            loop = by_speaker if opts.spk2utt else by_utterance
            for key, stats in loop(rspecifier, opts.spk2utt, weights, counts):
                out.write(key, stats)
    else:
        if opts.spk2utt:
            raise OptionError("--spk2utt option not compatible with wxfilename as output (did you forget ark:?)")
        of_everything(rspecifier, output, weights, counts, opts.binary)
    info(f"Done accumulating CMVN stats for {counts['done']} utterances; {counts['failed']} had errors.")
    return 0 if counts["done"] else 1


def add(stats, feats, key: str, weights, counts):
    """`stats` (None at first) with one utterance added; as it was, with a warning, where its weights are missing."""
    from sidamo.feats.cmvn import accumulate, zero_stats
    from sidamo.io.errors import CheckFailed
    from sidamo.io.log import warn

    if weights is not None and key not in weights:
        warn(f"No weights available for utterance {key}")
        counts["failed"] += 1
        return stats
    if stats is None:
        stats = zero_stats(feats.shape[1])
    try:
        accumulate(stats, feats, None if weights is None else weights[key])
    except CheckFailed as error:
        raise CheckFailed(f"utterance {key}: {error}") from None
    counts["done"] += 1
    return stats


def by_utterance(rspecifier, _, weights, counts):
    """Yields (utterance, statistics)."""
    from sidamo.io.tables import SequentialReader

    with SequentialReader(rspecifier, "matrix") as reader:
        for key, feats in reader:
            stats = add(None, feats, key, weights, counts)
            if stats is not None:
                yield key, stats


def by_speaker(rspecifier, spk2utt, weights, counts):
    """Yields (speaker, statistics); a missing utterance is named and counted."""
    from sidamo.io.log import warn
    from sidamo.io.tables import RandomAccessReader, SequentialReader

    with SequentialReader(spk2utt, "token_vector") as speakers, RandomAccessReader(rspecifier, "matrix") as feats:
        for speaker, utterances in speakers:
            stats = None
            for key in utterances:
                if key not in feats:
                    warn(f"Did not find features for utterance {key}")
                    counts["failed"] += 1
                    continue
                stats = add(stats, feats[key], key, weights, counts)
            if stats is None:
                warn(f"No stats accumulated for speaker {speaker}")
            else:
                yield speaker, stats


def of_everything(rspecifier, wxfilename, weights, counts, binary):
    """One matrix for all utterances."""
    from sidamo.io.log import info
    from sidamo.io.tables import SequentialReader, write_object

    stats = None
    with SequentialReader(rspecifier, "matrix") as reader:
        for key, feats in reader:
            stats = add(stats, feats, key, weights, counts)
    if stats is not None:
        write_object(wxfilename, "matrix", stats.astype("float32"), binary)  # in a single file Kaldi writes floats
        info(f"Wrote global CMVN stats to {wxfilename}")
