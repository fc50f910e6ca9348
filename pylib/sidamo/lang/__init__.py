"""From text and a lexicon to the decoding graph TLG: T (CTC topology), L (lexicon), G (grammar), and their composition.

topology   the CTC topologies, defined and drawn
lexicon    pronunciations, disambiguation symbols, the lexicon transducer
dict_dir   checks of a dictionary directory
prepare    dictionary directory -> lang directory (utils/prepare_lang.sh)
arpa       ARPA files -> n-gram tables -> G
ngram      n-gram models trained from text
grammar    other grammars as G: phrases, word loops, FSTs made with pynini
graph      L o G and T o LG (utils/mkgraph.sh)
direct     LG for n-gram grammars without general composition; lexicon_paths takes L apart for it
compose_kernel, determinize_kernel, minimize_kernel   the steps of `graph` for large machines, compiled by numba

Only `graph`, `grammar`, `g2p` and `unk` import pynini, and only when they are called: start-up stays short.
"""
