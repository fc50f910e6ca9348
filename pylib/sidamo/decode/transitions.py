"""Kaldi's transition models, as far as a decoder of token labels meets them: the one that maps t to t - 1."""

from __future__ import annotations

from sidamo.io.errors import DataError


def check_identity_model(path: str) -> None:
    """Raise DataError unless the text-form TransitionModel maps transition-id t to pdf t - 1.

    Facts of the form: Kaldi src/hmm/transition-model.cc: `<Triples> N` (or `<Tuples> N`), then a line
    `phone hmm-state pdf` (or `... forward-pdf self-loop-pdf`) for each transition-state.
    """
    with open(path, "rb") as stream:
        data = stream.read()
    if data[:2] == b"\0B":
        raise DataError(
            "a binary transition model; token labels need one that maps id t to column t - 1", file=path,
            mend="use latgen-faster, which needs no model",
        )  # fmt: skip
    words = data.decode("utf-8", "replace").split()
    tags = [i for i, w in enumerate(words) if w in ("<Triples>", "<Tuples>")]
    if words[:1] != ["<TransitionModel>"] or not tags:
        raise DataError("expected a transition model in text form (<TransitionModel> ... <Triples> ...)", file=path)
    width = 3 if words[tags[0]] == "<Triples>" else 4
    try:
        count = int(words[tags[0] + 1])
        body = [int(w) for w in words[tags[0] + 2 : tags[0] + 2 + width * count]]
    except ValueError as e:
        raise DataError(f"the triples of the transition model: {e}", file=path) from None
    if len(body) != width * count:
        raise DataError(f"{count} triples announced, {len(body) // width} found", file=path)
    pdfs = body[2::width]
    if pdfs != list(range(count)):
        wrong = next(i for i, pdf in enumerate(pdfs) if pdf != i)
        raise DataError(
            f"transition-id {wrong + 1} maps to pdf {pdfs[wrong]}; only the identity (t to t - 1) is supported",
            file=path, mend="map the columns of the matrix, then use latgen-faster",
        )  # fmt: skip
