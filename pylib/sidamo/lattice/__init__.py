"""Work on lattices: what decoding leaves open is decided here.

ops (scales, penalties, pruning, best path), nbest, determinize, minimize, compose, rescore and arpa (language models),
mbr (minimum Bayes risk, sausages, confidences), oracle, align_words, ctm, sweep (a whole scoring sweep at once).
"""
