#!/usr/bin/env bash
# Makes a lang directory (symbol tables, lexicon transducers, CTC tokens and topology) from a dictionary directory.
#
# Reads  <dict-dir>/lexicon.txt or lexiconp.txt, nonsilence_phones.txt, silence_phones.txt, optional_silence.txt,
#        extra_questions.txt (may be empty); lexiconp_silprob.txt with silprob.txt where silence has its own statistics
# Writes <lang-dir>/: phones.txt words.txt oov.txt L.fst L_disambig.fst topo phones/ (Kaldi's files, byte for byte), and
#        tokens.txt T.fst ctc_topo lexiconp.txt; in <dict-dir> the missing one of lexicon.txt and lexiconp.txt; in
#        <tmp-dir> the lexicon with disambiguation symbols
# Example: utils/prepare_lang.sh data/local/dict "<unk>" data/local/lang data/lang
# Example: utils/prepare_lang.sh --ctc true data/local/dict "<unk>" data/local/lang data/lang
#
# Options (Kaldi's defaults):
#   --ctc false                        true: silence phones, optional silence and a pronunciation of the unknown word are
#                                      not needed; no word positions and no optional silence unless asked for
#   --topo correct                     CTC topology: correct | compact | minimal | modified | eesen (see
#                                      pylib/sidamo/lang/topology.py, with drawings)
#   --position-dependent-phones true   phones get _B _E _I _S by their place in the word (default with --ctc: false)
#   --sil-prob 0.5                     probability of silence at the beginning and after words (default with --ctc: 0.0)
#   --num-sil-states 5                 HMM states of silence phones, for the topo file
#   --num-nonsil-states 3              HMM states of the other phones
#   --share-silence-phones false       silence phones share their densities (roots.txt, sets.txt)
#   --share-state-roots true           one decision tree for all states of a phone (roots.txt)
#   --phone-symbol-table FILE          use this phones.txt: a new dictionary for an existing model
#   --extra-word-disambig-syms FILE    further symbols like #0 that a grammar may hold, one per line
#   --num-extra-phone-disambig-syms 1  disambiguation symbols beyond those of the lexicon (one is for silence)
#   --unk-fst FILE                     unit-level model in the place of the unknown word (utils/make_unk_lm.sh)

set -euo pipefail

ctc=false                       # CTC: silence is optional
topo=correct                    # CTC topology
position_dependent_phones=      # true | false
sil_prob=                       # probability of optional silence
num_sil_states=5                # for the topo file
num_nonsil_states=3             # for the topo file
share_silence_phones=false
share_state_roots=true
phone_symbol_table=             # a phones.txt to keep
extra_word_disambig_syms=       # file
num_extra_phone_disambig_syms=1
unk_fst=                        # text FST

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 4 ]; then
  echo "usage: utils/prepare_lang.sh [options] <dict-dir> <oov-word> <tmp-dir> <lang-dir>   (--help: all of it)" >&2
  echo ' e.g.: utils/prepare_lang.sh data/local/dict "<unk>" data/local/lang data/lang' >&2
  exit 1
fi

python -m sidamo.bin.prepare_lang "--ctc=$ctc" "--topo=$topo" "--sil-prob=$sil_prob" \
  "--position-dependent-phones=$position_dependent_phones" \
  "--num-sil-states=$num_sil_states" "--num-nonsil-states=$num_nonsil_states" \
  "--share-silence-phones=$share_silence_phones" "--share-state-roots=$share_state_roots" \
  "--phone-symbol-table=$phone_symbol_table" "--extra-word-disambig-syms=$extra_word_disambig_syms" \
  "--num-extra-phone-disambig-syms=$num_extra_phone_disambig_syms" "--unk-fst=$unk_fst" \
  "$1" "$2" "$3" "$4" || exit 1

utils_validate=$SIDAMO_ROOT/utils/validate_lang.py
if [ -x "$utils_validate" ]; then "$utils_validate" --quiet "$4"; fi
echo "prepare_lang.sh: $4 is ready: $(wc -l <"$4/words.txt") words, $(wc -l <"$4/tokens.txt") tokens, topology $topo"
