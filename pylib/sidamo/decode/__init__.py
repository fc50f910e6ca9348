"""From log-likelihoods (T x V) and a graph (arrays) to words and lattices; neither torch nor pynini is known here.

reference         token passing, to be read
graph, search     any TLG: arrays for the kernel, and one utterance's search
topology_search   LG with the CTC topology carried inside the decoder
utterance         what the two searches share
kernel, topology_kernel, topology_lattice   the compiled loops (see sidamo.io.native; memory: how they touch it)
options, hotwords, streaming, long_audio, parallel, transitions   what their names say
"""
