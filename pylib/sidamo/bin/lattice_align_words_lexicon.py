"""lattice-align-words-lexicon: Kaldi's other name for what lattice-align-words does here."""

from sidamo.bin.lattice_align_words import main

if __name__ == "__main__":
    raise SystemExit(main())
