"""The registry of networks: a new network is one module here and one line below.

A network module has a frozen dataclass of its options and a torch module of (options, input_dim, subsampling) with

    output_dim : int
    lookahead : int or None, input frames of the future that an output may depend on; None: the whole utterance
    forward(feats (B, T, D) float32, lengths (B,) int64) -> (B, ceil(T / subsampling), output_dim), lengths (B,)

and optionally `intermediate : int`, the number of extra hidden outputs that forward_intermediate returns (see
nets.conformer). Its output for an utterance must not depend on padding; tests/am/test_am_nets.py checks that of
every line here.
"""

import ast
import importlib
import os
from dataclasses import field, make_dataclass

# name: (module, options class, network class)
REGISTRY = {
    "tdnn": ("tdnn", "TdnnOptions", "Tdnn"),
    "lstm": ("rnn", "RnnOptions", "Lstm"),
    "gru": ("rnn", "RnnOptions", "Gru"),
    "ligru": ("ligru", "LigruOptions", "Ligru"),
    "indrnn": ("indrnn", "IndrnnOptions", "Indrnn"),
    "tdnnf": ("tdnnf", "TdnnfOptions", "Tdnnf"),
    "wav2letter": ("wav2letter", "Wav2letterOptions", "Wav2letter"),
    "dfsmn": ("dfsmn", "DfsmnOptions", "Dfsmn"),
    "conformer": ("conformer", "ConformerOptions", "Conformer"),
}


def options_class(name: str):
    """The options dataclass of network `name`."""
    module, options, _ = _entry(name)
    return getattr(importlib.import_module(f"sidamo.am.nets.{module}"), options)


def described_options(name: str):
    """The same fields, types, defaults and help, read from the source: the module itself imports torch, which takes over a
    second, and --help should answer at once. Values are checked when the network is built."""
    module, options, _ = _entry(name)
    path = os.path.join(os.path.dirname(__file__), f"{module}.py")
    tree = ast.parse(open(path, encoding="utf-8").read())
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == options)
    fields = []
    for line in (node for node in body if isinstance(node, ast.AnnAssign)):
        given = {word.arg: ast.literal_eval(word.value) for word in line.value.keywords}
        fields.append((line.target.id, {"bool": bool, "int": int, "float": float, "str": str}[line.annotation.id],
                       field(default=given["default"], metadata=given["metadata"])))  # fmt: skip
    return make_dataclass(options, fields, frozen=True)


def build(name: str, options, input_dim: int, subsampling: int):
    """Make the network `name`: options is its dataclass (or a dict of its fields)."""
    module, options_name, network = _entry(name)
    loaded = importlib.import_module(f"sidamo.am.nets.{module}")
    if isinstance(options, dict):
        options = getattr(loaded, options_name)(**options)
    return getattr(loaded, network)(options, input_dim, subsampling)


def _entry(name: str):
    from sidamo.io.errors import OptionError

    if name not in REGISTRY:
        raise OptionError(f"no network is called {name!r}; there are: {', '.join(sorted(REGISTRY))}")
    return REGISTRY[name]
