"""export-ctc: a model as TorchScript or ONNX."""

import sys

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Writes a model as TorchScript (.ts, .torchscript) or ONNX (.onnx), by the name of the file.

Usage: export-ctc [options] <model> <file>
E.g.: export-ctc --prior-scale=0.3 exp/m/final.pt exp/m/final.onnx

Inputs: normalized features (B, T, D) float32, lengths (B,) int64; outputs: log-likelihoods (B, T', V), lengths (B,).
ONNX needs: pip install onnx onnxscript"""


@tool
def main(argv=None) -> int:
    from sidamo.am.options import LoglikeOptions

    options = Options(USAGE)
    options.group(LoglikeOptions())
    options.add("check", "", "rspecifier of normalized features: both give the same log-likelihoods for them, or it fails")
    options.add("tolerance", 0.001, "largest difference of log-likelihoods that --check allows")
    opts, (model_file, out) = options.parse(argv, num_args=2)
    import os

    from sidamo.am.export import exported, to_onnx, to_torchscript
    from sidamo.am.loglikes import Scorer
    from sidamo.am.model import load_model
    from sidamo.io.errors import OptionError
    from sidamo.io.log import info

    model, content = load_model(model_file)
    choice = opts.make(LoglikeOptions)
    module = exported(model, content, choice)
    name, suffix = os.path.splitext(out)
    temporary = f"{name}.tmp.{os.getpid()}{suffix}"
    if out.endswith(".onnx"):
        to_onnx(module, temporary, model.config["input_dim"])
    elif out.endswith((".ts", ".torchscript")):
        to_torchscript(module, temporary)
    else:
        raise OptionError(f"{out}: the name should end in .onnx, .ts or .torchscript")
    try:
        if opts.check:
            check(temporary, Scorer(model, content, choice), opts)
        os.replace(temporary, out)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    info(f"wrote {out}")
    return 0


def check(path, scorer, opts) -> None:
    """DataError where the exported file's log-likelihoods are not the model's."""
    from sidamo.am.export import largest_difference
    from sidamo.io import tables
    from sidamo.io.errors import DataError
    from sidamo.io.log import info

    with tables.SequentialReader(opts.check, "matrix") as reader:
        largest, count = largest_difference(path, scorer, reader)
    if not count or not largest <= opts.tolerance:
        raise DataError(
            f"log-likelihoods differ by up to {largest:.2g} from the model's over {count} utterances, "
            f"expected at most {opts.tolerance:g}",
            file=opts.check, mend="export as TorchScript (.ts), or report it with the model's config" if count else
            "give features: --check=scp:feats.scp",
        )  # fmt: skip
    info(f"checked: the log-likelihoods of {count} utterances are the model's to {largest:.1e}")


if __name__ == "__main__":
    sys.exit(main())
