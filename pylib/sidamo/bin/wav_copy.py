"""wav-copy: copy waves, between tables or single files; whatever is read, 16-bit PCM is written."""

from sidamo.bin import tool

USAGE = """Copy wave file or archives of wave files

Usage: wav-copy [options] <wav-rspecifier> <wav-wspecifier>
  or:  wav-copy [options] <wav-rxfilename> <wav-wxfilename>
e.g. wav-copy scp:wav.scp ark:-
     wav-copy wav.ark:123456 -
See also: wav-to-duration extract-segments
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin import _inline
    from sidamo.io.errors import OptionError
    from sidamo.io.log import info
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer, is_rspecifier, is_wspecifier, read_object, write_object

    _inline.enable()
    opts, (source, target) = Options(USAGE).parse(argv, num_args=2)
    if is_rspecifier(source) != is_wspecifier(target):
        raise OptionError("Cannot mix tables and single files: either ark: or scp: on both sides, or on neither")
    if not is_rspecifier(source):
        write_object(target, "wave", read_object(source, "wave"))
        return 0
    done = 0
    with SequentialReader(source, "wave") as reader, Writer(target, "wave") as out:
        for key, wave in reader:
            out.write(key, wave)
            done += 1
    info(f"Copied {done} wave files")
    return 0 if done else 1
