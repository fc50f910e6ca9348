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
    from sidamo.am.loglikes import LoglikeOptions

    options = Options(USAGE)
    options.group(LoglikeOptions())
    opts, (model_file, out) = options.parse(argv, num_args=2)
    import os

    from sidamo.am.export import exported, to_onnx, to_torchscript
    from sidamo.am.model import load_model
    from sidamo.io.errors import OptionError
    from sidamo.io.log import info

    model, content = load_model(model_file)
    module = exported(model, content, opts.make(LoglikeOptions))
    temporary = f"{out}.tmp.{os.getpid()}"
    if out.endswith(".onnx"):
        to_onnx(module, temporary, model.config["input_dim"])
    elif out.endswith((".ts", ".torchscript")):
        to_torchscript(module, temporary)
    else:
        raise OptionError(f"{out}: the name should end in .onnx, .ts or .torchscript")
    os.replace(temporary, out)
    info(f"wrote {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
