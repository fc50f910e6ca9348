#!/usr/bin/env bash
# Yes or no: sixty recordings of one man, in Hebrew. The smallest recognizer of real speech, in under a minute.
#
# Reads   OpenSLR resource 1 (fetched on the first run, 5 MB), or --corpus DIR with its 60 .wav files
# Writes  data/ exp/ fbank/ here; the last lines printed are the word error rate and where the report lies
# Example: egs/yesno/run.sh
#          egs/yesno/run.sh --corpus /data/waves_yesno
#
# Options: --stage N       begin here: 0 data, 1 features, 2 language, 3 training, 4 decoding, 5 scoring, 6 report
#                          (default: where the last run was cut off, else 0)
#          --stop-stage M  end here (6)
#          --nj N          parallel jobs (2)
#          --corpus DIR    folder of the recordings; nothing is fetched then
#          --seed N        of the training (1)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./path.sh
. ./cmd.sh
. utils/stages.sh

nj=2
corpus=
seed=1
. utils/parse_options.sh
model=exp/tdnn

if stage 0 data "Who says what, and in which file?"; then
  if [ -z "$corpus" ]; then
    local/download_data.sh downloads
    corpus=downloads/waves_yesno
  fi
  local/prepare_data.py "$corpus" data
  for part in train test; do utils/validate_data_dir.sh --no-feats data/$part; done
fi

if stage 1 features "What does the ear keep of a sound?"; then
  need 0 data/{train,test}/wav.scp
  for part in train test; do
    steps/make_fbank.sh --nj 1 --cmd "$train_cmd" --fbank-config conf/fbank.conf data/$part exp/make_fbank/$part fbank
    steps/compute_cmvn_stats.sh data/$part exp/make_fbank/$part fbank
    utils/validate_data_dir.sh data/$part
  done
fi

if stage 2 language "How is a word pronounced (L), which words may follow each other (G), how do frames spell phones (T)?"; then
  need 0 data/train/text
  local/prepare_dict.sh data/local/dict
  utils/prepare_lang.sh --ctc true data/local/dict "<unk>" data/local/lang data/lang
  # Either word after either word, as in Kaldi's recipe.
  printf '%s\n' NO YES >data/local/words
  utils/prepare_grammar.sh --loop true data/lang data/local/words data/lang_loop
  utils/mkgraph.sh data/lang_loop exp/graph
fi

if stage 3 training "Which phone does each stretch of sound belong to? (nobody tells where one begins: that is what CTC learns)"; then
  need 1 data/{train,test}/feats.scp
  need 2 data/lang/tokens.txt
  steps/train_ctc.sh --train-config conf/train.conf --num-threads 1 --seed "$seed" data/train data/train data/lang $model
fi

if stage 4 decoding "Which words explain the sound best?"; then
  need 1 data/test/feats.scp
  need 2 exp/graph/TLG.fst
  need 3 $model/final.pt
  steps/decode.sh --nj "$nj" --cmd "$decode_cmd" exp/graph data/test $model/decode_test
fi

if stage 5 scoring "How many words are wrong?"; then
  need 4 $model/decode_test/lat.1.gz
  local/score.sh --cmd "$decode_cmd" data/test exp/graph $model/decode_test
fi

if stage 6 report "What went wrong, and why?"; then
  need 5 $model/decode_test/scoring_kaldi/best_wer
  steps/report.sh $model
fi
stages_end

echo
utils/best_wer.sh $model/decode_test/wer_* || true
if [ -f $model/report.html ]; then echo "report: $PWD/$model/report.html"; fi
