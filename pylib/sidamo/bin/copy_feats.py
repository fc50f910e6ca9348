"""copy-feats: copies features from one form to another."""

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import CheckFailed, OptionError
from sidamo.io.options import Options

USAGE = """Copy features [and possibly change format]

Usage: copy-feats [options] <feature-rspecifier> <feature-wspecifier>
or:    copy-feats [options] <feats-rxfilename> <feats-wxfilename>
e.g.:  copy-feats ark:- ark,scp:foo.ark,foo.scp
 or:   copy-feats ark:foo.ark ark,t:txt.ark
See also: copy-matrix, copy-feats-to-htk, subsample-feats, splice-feats, paste-feats"""


def _options():
    o = Options(USAGE)
    o.add("htk-in", False, "Read input as HTK features")
    o.add("sphinx-in", False, "Read input as Sphinx features (13 columns)")
    o.add("binary", True, "Binary-mode output (not relevant if writing to archive)")
    o.add("compress", False, "If true, write output in compressed form (only for wspecifiers)")
    methods = (
        "Only relevant if --compress=true; 1: by the number of rows, 2: speech features, 3: two bytes, 4: two bytes "
        "for integers, 5: one byte, 6: one byte for 0..255, 7: one byte for values in [0, 1]"
    )
    o.add("compression-method", 1, methods)
    lengths = "Wspecifier for the number of frames of each utterance, e.g. ark,t:utt2num_frames; not for single files."
    o.add("write-num-frames", "", lengths)
    return o


@tool
def main(argv=None):
    """Copies a table or a single file; 1 where the table is empty."""
    opts, args = _options().parse(argv, num_args=2)
    from sidamo.io.tables import is_rspecifier

    kind = "htk" if opts.htk_in else "sphinx" if opts.sphinx_in else "matrix"
    return (_copy_table if is_rspecifier(args[0]) else _copy_file)(opts, kind, *args)


def _features(value, kind):
    from sidamo.io.matrix import as_float32

    return as_float32(value.matrix if kind == "htk" else value)


def _copy_table(opts, kind, rspecifier, wspecifier):
    from contextlib import ExitStack

    from sidamo.io.tables import SequentialReader, Writer

    num_done = 0
    with ExitStack() as stack:
        holder_options = {"compression_method": opts.compression_method} if opts.compress else {}
        writer = stack.enter_context(Writer(wspecifier, "matrix", **holder_options))
        lengths = stack.enter_context(Writer(opts.write_num_frames, "int")) if opts.write_num_frames else None
        for key, value in stack.enter_context(SequentialReader(rspecifier, kind)):
            feats = _features(value, kind)
            writer.write(key, feats)
            if lengths:
                lengths.write(key, len(feats))
            num_done += 1
    log.info(f"Copied {num_done} feature matrices.")
    return 0 if num_done else 1


def _copy_file(opts, kind, rxfilename, wxfilename):
    from sidamo.io.streams import printable
    from sidamo.io.tables import read_object, write_object

    if opts.compress:
        raise CheckFailed("Compression not yet supported for single files: give a wspecifier (ark:...)")
    if opts.write_num_frames:
        raise OptionError("--write-num-frames option not supported when writing/reading individual files.")
    if kind == "sphinx":
        raise OptionError("For single files, sphinx input is not yet supported.")
    write_object(wxfilename, "matrix", _features(read_object(rxfilename, kind), kind), binary=opts.binary)
    log.info(f"Copied features from {printable(rxfilename)} to {wxfilename or '-'}")
    return 0
