"""train-ctc: train a network with CTC (or ASG) on normalized features and integer targets."""

import os
import sys

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Trains an acoustic model with CTC, or goes on with one that was broken off.

Usage: train-ctc [options] <train-feats-scp> <train-targets-rspecifier> <dev-feats-scp> <dev-targets-rspecifier>
                 <tokens> <exp-dir>
E.g.: train-ctc --config=conf/train_tdnn.conf exp/m/dump/train/feats.scp ark:exp/m/dump/train/targets.ark \\
        exp/m/dump/dev/feats.scp ark:exp/m/dump/dev/targets.ark data/lang/tokens.txt exp/m
Many processes: torchrun --nproc-per-node=2 $(which train-ctc) ...
Features lie in uncompressed archives (they are mapped into memory). steps/train_ctc.sh prepares all this."""


def find_network(argv) -> str:
    """The value of --network, on the command line or in a --config file: its options depend on it."""
    from sidamo.io.errors import OptionError

    chosen, configs = "", []
    for word in argv:
        name, _, value = word.partition("=")
        if name == "--network":
            chosen = value
        elif name == "--config":
            configs.append(value)
    for path in [] if chosen else configs:
        try:
            lines = open(path, encoding="utf-8").read().splitlines()
        except OSError as error:
            raise OptionError(f"--config={path}: {error.strerror}") from None
        for line in lines:
            name, _, value = line.split("#")[0].strip().partition("=")
            chosen = value.strip() if name == "--network" else chosen
    return chosen or "tdnn"


@tool
def main(argv=None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    from sidamo.am.options import TrainOptions

    options = Options(USAGE)
    options.add("network", "tdnn", "name of the network; its own options are among those listed (--network=X --help)")
    options.group(TrainOptions())
    from sidamo.am import nets

    network = find_network(argv)
    net_options = nets.described_options(network)
    options.group(net_options())
    opts, args = options.parse(argv, num_args=6)
    from sidamo.am.train import train

    train(network, opts.make(net_options), opts.make(TrainOptions), *args, command=["train-ctc", *argv])
    return 0


if __name__ == "__main__":
    os._exit(main()) if os.environ.get("WORLD_SIZE") else sys.exit(main())
