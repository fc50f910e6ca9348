"""Language model rescoring of lattices."""

from __future__ import annotations

from sidamo.io.lattice import CompactLattice
from sidamo.lattice.compose import Grammar, compose, compose_grammar, compose_model, without_strings
from sidamo.lattice.determinize import determinize as determinize_lattice
from sidamo.lattice.ops import scale


def add_lm_cost(clat: CompactLattice, model, lm_scale: float, *, determinize: bool = True, key: str | None = None):
    """Add lm_scale times the cost that a language model gives the words to graph costs.

    model : a Grammar (the cost of its best path is meant) or a model on demand such as arpa.ArpaModel
    determinize : afterwards keep one path for each word sequence, the best
    Returns a CompactLattice, empty where the model accepts none of the words.

    As in Kaldi, graph costs are divided by lm_scale before and multiplied after, so that the best path through the
    grammar is taken whatever the sign of lm_scale.
    """
    if lm_scale == 0.0:
        return clat
    scaled = scale(clat, lm_scale=1.0 / lm_scale)
    if not isinstance(model, Grammar):
        composed = compose_model(scaled, model)
    elif determinize:
        composed = compose_grammar(scaled, model)
    else:
        # The best cost per word sequence alone, then put on every path of the lattice.
        alone, _ = determinize_lattice(compose_grammar(scale(scaled, lm_scale=0.0), model), key=key)
        composed = compose(scaled, without_strings(scale(alone, acoustic_scale=0.0)))
    if determinize and composed.start >= 0:
        composed, _ = determinize_lattice(composed, key=key)
    return scale(composed, lm_scale=lm_scale)
