"""wav-perturb: another speed or volume, without an external program."""

from sidamo.bin import tool

USAGE = """Change the speed (tempo and pitch together, like sox's speed) and the volume of a wave.

Usage: wav-perturb [options] <wav-in-rxfilename> <wav-out-wxfilename>
e.g.: wav-perturb --speed=0.9 in.wav - |
See also: utils/perturb_data_dir_speed.sh, utils/perturb_data_dir_volume.sh, wav-reverberate
"""


@tool
def main(argv=None) -> int:
    from sidamo.io.tables import read_object, write_object

    wave, target = make(argv, lambda name: read_object(name, "wave"))
    write_object(target, "wave", wave)
    return 0


def make(argv, read):
    """The perturbed Wave and where it goes; `read` gives the Wave of an rxfilename."""
    import numpy as np

    from sidamo.feats.perturb import change_speed, change_volume
    from sidamo.io.options import Options
    from sidamo.io.wave import Wave

    parser = Options(USAGE)
    parser.add("speed", 1.0, "Factor of the speed; 1.1 makes it shorter and higher")
    parser.add("volume", 1.0, "Factor of the amplitude")
    opts, (source, target) = parser.parse(argv, num_args=2)
    wave = read(source)
    samples = change_volume(change_speed(wave.data, opts.speed), opts.volume)
    return Wave(wave.rate, np.rint(samples)), target
