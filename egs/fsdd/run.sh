#!/usr/bin/env bash
# Isolated digits of few speakers: what does a recognizer know about a voice that it never heard, and what helps?
#
# Reads   --corpus DIR: the Free Spoken Digit Dataset (or its folder recordings)
# Writes  data/ exp/ fbank/ here; the last lines printed are the word error rates and where the report lies
# Example: egs/fsdd/run.sh --corpus ~/free-spoken-digit-dataset
#
# Options: --stage N       begin here: 0 data, 1 features, 2 language, 3 training, 4 decoding, 5 scoring, 6 report
#                          (default: where the last run was cut off, else 0)
#          --stop-stage M  end here (6)
#          --nj N          parallel jobs (2)
#          --corpus DIR    folder of the recordings
#          --systems LIST  "plain augment transfer": nothing; augmentation; that, started from synthetic voices
#          --splits LIST   of data/local/splits (all): official, and loo_<speaker>, which leaves that speaker out
#          --seed N        of the training and the synthetic corpus (1)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./path.sh
. ./cmd.sh
. utils/stages.sh

nj=2
corpus=downloads/free-spoken-digit-dataset
systems="plain augment transfer"
splits=
seed=1
. utils/parse_options.sh
all_splits() { echo "${splits:-$(cat data/local/splits)}"; }

if stage 0 data "Who says what, and in which file?"; then
  local/prepare_data.py "$corpus" data
  # Synthetic voices, to start from: the corpus of egs/digits, heard through a telephone.
  ../digits/local/make_digits.py --nj "$nj" --seed "$seed" data/corpus_synthetic
  for part in train dev; do ../digits/local/prepare_data.py data/corpus_synthetic $part data/synthetic_$part; done
  for part in all synthetic_train synthetic_dev; do utils/validate_data_dir.sh --no-feats data/$part; done
fi

if stage 1 features "What does the ear keep of a sound?"; then
  need 0 data/{all,synthetic_train,synthetic_dev}/wav.scp
  for part in all synthetic_train synthetic_dev; do
    steps/make_fbank.sh --nj "$nj" --cmd "$train_cmd" --fbank-config conf/fbank.conf data/$part exp/make_fbank/$part fbank
    steps/compute_cmvn_stats.sh data/$part exp/make_fbank/$part fbank
  done
  for split in $(all_splits); do for part in train dev test; do
    utils/subset_data_dir.sh --utt-list "data/local/${split}_$part" data/all "data/${split}_$part"
  done; done
fi

if stage 2 language "How is a word pronounced (L), which words may follow each other (G), how do frames spell phones (T)?"; then
  need 0 data/all/text
  ../digits/local/prepare_dict.sh data/local/dict
  utils/prepare_lang.sh --ctc true data/local/dict "<unk>" data/local/lang data/lang
  # Each recording holds one digit.
  cut -d ' ' -f 2 data/all/text | sort -u >data/local/digits
  utils/prepare_grammar.sh data/lang data/local/digits data/lang_one
  utils/mkgraph.sh data/lang_one exp/graph
fi

if stage 3 training "What helps with a new voice: many versions of the known ones, or many synthetic ones to start from?"; then
  need 1 data/official_train/feats.scp
  need 2 data/lang/tokens.txt
  # shellcheck disable=SC2046 # a list of splits
  for system in $systems; do local/train_systems.sh --cmd "$train_cmd" --nj "$nj" --seed "$seed" "$system" $(all_splits); done
fi

if stage 4 decoding "Which digit explains the sound best?"; then
  need 2 exp/graph/TLG.fst
  for system in $systems; do for split in $(all_splits); do
    need 3 "exp/${system}_$split/final.pt"
    steps/decode.sh --nj "$nj" --cmd "$decode_cmd" exp/graph "data/${split}_test" "exp/${system}_$split/decode_test"
  done; done
fi

if stage 5 scoring "How many digits are wrong?"; then
  for system in $systems; do for split in $(all_splits); do
    need 4 "exp/${system}_$split/decode_test/lat.1.gz"
    local/score.sh --cmd "$decode_cmd" "data/${split}_test" exp/graph "exp/${system}_$split/decode_test"
  done; done
fi

if stage 6 report "What went wrong, and why?"; then
  for system in $systems; do steps/report.sh "exp/${system}_official"; done
fi
stages_end

echo
local/results.py exp "$systems" "$(all_splits)"
