#!/usr/bin/env bash
# Isolated digits of few speakers: what does a recognizer know about a voice that it never heard, and what helps?
#
# Reads   --corpus DIR: the Free Spoken Digit Dataset (or its folder recordings)
# Writes  data/ exp/ fbank/ here; the last lines printed are the word error rates and where the report lies
# Example: egs/fsdd/run.sh --corpus ~/free-spoken-digit-dataset
#
# Options: --stage N       begin here: 0 data, 1 features, 2 language, 3 training, 4 decoding, 5 adaptation, 6 scoring
#                          (default: where the last run was cut off, else 0)
#          --stop-stage M  end here (6)
#          --nj N          parallel jobs (2)
#          --corpus DIR    folder of the recordings
#          --systems LIST  of "plain augment voices adapt balanced" (all), each a step further: see README.md; the last
#                          two need the third
#          --splits LIST   of data/local/splits (all): official, and loo_<speaker>, which leaves that speaker out
#          --trim BOOL     leave out the pauses around a word (true)
#          --seed N        of the training and the synthetic voices (1)
# shellcheck disable=SC2046 # $(all_splits) is a list of words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./path.sh
. ./cmd.sh
. utils/stages.sh

nj=2
corpus=downloads/free-spoken-digit-dataset
systems="plain augment voices adapt balanced"
splits=
trim=true
seed=1
. utils/parse_options.sh
all_splits() { echo "${splits:-$(cat data/local/splits)}"; }
adapted=$(tr ' ' '\n' <<<"$systems" | grep -x -e adapt -e balanced || true)
trained=$(tr ' ' '\n' <<<"$systems" | grep -vx -e adapt -e balanced || true)
decode() { # decode SYSTEM SPLIT: one digit a recording, so that neither LM weight nor penalty makes a difference
  local dir=exp/$1_$2/decode_test
  steps/decode.sh --nj "$nj" --cmd "$decode_cmd" exp/graph "data/$2_test" "$dir"
  local/score.sh --cmd "$decode_cmd" --min-lmwt 10 --max-lmwt 10 --word-ins-penalty 0.0 "data/$2_test" exp/graph "$dir"
}

if stage 0 data "Who says what, and in which file?"; then
  local/prepare_data.py --trim "$trim" "$corpus" data
  local/make_voices.py --nj "$nj" --seed "$seed" data/voices
  local/make_voices.py --nj "$nj" --seed "$((seed + 1000))" --num-voices 20 data/voices_dev
  for part in all voices voices_dev; do utils/validate_data_dir.sh --no-feats data/$part; done
fi

if stage 1 features "What does the ear keep of a sound?"; then
  need 0 data/{all,voices,voices_dev}/wav.scp
  for part in all voices voices_dev; do
    steps/make_fbank.sh --nj "$nj" --cmd "$train_cmd" --fbank-config conf/fbank.conf data/$part exp/make_fbank/$part fbank
    steps/compute_cmvn_stats.sh data/$part exp/make_fbank/$part fbank
  done
  utils/subset_data_dir.sh --speakers data/voices 1000 data/voices_some
  for split in $(all_splits); do
    for part in train dev test; do
      utils/subset_data_dir.sh --utt-list "data/local/${split}_$part" data/all "data/${split}_$part"
    done
    utils/combine_data.sh "data/${split}_voices" "data/${split}_train" data/voices_some
  done
fi

if stage 2 language "How is a word pronounced (L), which words may follow each other (G), how do frames spell phones (T)?"; then
  need 0 data/all/text
  ../digits/local/prepare_dict.sh data/local/dict
  utils/prepare_lang.sh --ctc true data/local/dict "<unk>" data/local/lang data/lang
  cut -d ' ' -f 2 data/all/text | sort -u >data/local/digits
  utils/prepare_grammar.sh data/lang data/local/digits data/lang_one
  utils/mkgraph.sh data/lang_one exp/graph
fi

if stage 3 training "What helps with a new voice: many versions of the known ones, or many synthetic ones to start from?"; then
  need 1 data/official_train/feats.scp
  need 2 data/lang/tokens.txt
  for system in $trained; do local/train_systems.sh --cmd "$train_cmd" --nj "$nj" --seed "$seed" "$system" $(all_splits); done
fi

if stage 4 decoding "Which digit explains the sound best?"; then
  need 2 exp/graph/TLG.fst
  for system in $trained; do for split in $(all_splits); do
    need 3 "exp/${system}_$split/final.pt"
    decode "$system" "$split"
  done; done
fi

if stage 5 adaptation "What can be learned from a voice without being told what it says?"; then
  for system in $adapted; do
    local/train_systems.sh --cmd "$train_cmd" --nj "$nj" --seed "$seed" "$system" $(all_splits)
    for split in $(all_splits); do decode "$system" "$split"; done
  done
fi

if stage 6 scoring "How many digits are wrong, and which?"; then
  for split in $(all_splits); do steps/report.sh "exp/${systems##* }_$split"; done
fi
stages_end

echo
local/results.py exp "$systems" "$(all_splits)"
