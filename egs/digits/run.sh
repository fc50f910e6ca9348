#!/usr/bin/env bash
# Connected digits, from nothing to a word error rate: a synthetic corpus, features, graphs, CTC training, decoding, scores.
#
# Reads   nothing (or --corpus DIR, made earlier by local/make_digits.py)
# Writes  data/ exp/ fbank/ here; the last lines printed are the word error rates and where the report lies
# Example: egs/digits/run.sh --nj 2
#          egs/digits/run.sh --stage 4          # decode and score again
#
# Options: --stage N       begin here: 0 data, 1 features, 2 language, 3 training, 4 decoding, 5 scoring, 6 report
#                          (default: where the last run was cut off, else 0)
#          --stop-stage M  end here (6)
#          --nj N          parallel jobs (2)
#          --corpus DIR    the folder of the corpus; made there if it is not complete (data/corpus)
#          --seed N        of the corpus and of the training (1)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./path.sh
. ./cmd.sh
. utils/stages.sh

nj=2
corpus=data/corpus
seed=1
. utils/parse_options.sh
model=exp/tdnn

if stage 0 data "Who says what, and in which file?"; then
  local/make_digits.py --nj "$nj" --seed "$seed" "$corpus"
  for part in train dev test; do
    local/prepare_data.py "$corpus" $part data/$part
    utils/validate_data_dir.sh --no-feats data/$part
  done
fi

if stage 1 features "What does the ear keep of a sound?"; then
  need 0 data/{train,dev,test}/wav.scp
  for part in train dev test; do
    steps/make_fbank.sh --nj "$nj" --cmd "$train_cmd" --fbank-config conf/fbank.conf data/$part exp/make_fbank/$part fbank
    steps/compute_cmvn_stats.sh data/$part exp/make_fbank/$part fbank
    utils/validate_data_dir.sh data/$part
  done
fi

if stage 2 language "How is a word pronounced (L), which words may follow each other (G), how do frames spell phones (T)?"; then
  need 0 data/train/text
  local/prepare_dict.sh data/local/dict
  utils/prepare_lang.sh --ctc true data/local/dict "<unk>" data/local/lang data/lang
  # Two grammars: any digit after any other, and a trigram model of the training transcripts.
  utils/train_lm.sh --order 3 data/train/text data/local/lm/3gram.arpa.gz
  utils/format_lm.sh data/lang data/local/lm/3gram.arpa.gz data/local/dict/lexicon.txt data/lang_3gram
  cut -d ' ' -f 1 data/local/dict/lexicon.txt >data/local/words
  utils/prepare_grammar.sh --loop true data/lang data/local/words data/lang_loop
  for grammar in loop 3gram; do utils/mkgraph.sh data/lang_$grammar exp/graph_$grammar; done
fi

if stage 3 training "Which phone does each stretch of sound belong to? (nobody tells where one begins: that is what CTC learns)"; then
  need 1 data/{train,dev}/feats.scp
  need 2 data/lang/tokens.txt
  steps/train_ctc.sh --train-config conf/train.conf --seed "$seed" data/train data/dev data/lang $model
fi

if stage 4 decoding "Which words explain the sound best?"; then
  need 1 data/test/feats.scp
  need 2 exp/graph_{loop,3gram}/TLG.fst
  need 3 $model/final.pt
  for grammar in loop 3gram; do
    steps/decode.sh --nj "$nj" --cmd "$decode_cmd" --prior-scale 0.3 exp/graph_$grammar data/test $model/decode_${grammar}_test
  done
fi

if stage 5 scoring "How many words are wrong?"; then
  need 4 $model/decode_{loop,3gram}_test/lat.1.gz
  for grammar in loop 3gram; do
    local/score.sh --cmd "$decode_cmd" --min-lmwt 2 --max-lmwt 14 data/test exp/graph_$grammar $model/decode_${grammar}_test
  done
fi

if stage 6 report "What went wrong, and why?"; then
  need 5 $model/decode_{loop,3gram}_test/scoring_kaldi/best_wer
  steps/report.sh $model
fi
stages_end

echo
for grammar in loop 3gram; do utils/best_wer.sh $model/decode_${grammar}_test/wer_* || true; done
if [ -f $model/report.html ]; then echo "report: $PWD/$model/report.html"; fi
