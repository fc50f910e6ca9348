#!/usr/bin/env bash
# Mboshi, a Bantu language with 1.75 hours of recorded speech: what can a recognizer learn from so little?
#
# Reads   --corpus DIR: the Mboshi-French parallel corpus (or its folder full_corpus_newsplit, or a part of that)
# Writes  data/ exp/ fbank/ here; the last lines printed are the error rates and where the report lies
# Example: egs/mboshi/run.sh --corpus ~/mboshi-french-parallel-corpus
#
# Options: --stage N       begin here: 0 data, 1 features, 2 language, 3 training, 4 decoding, 5 scoring, 6 report
#                          (default: where the last run was cut off, else 0)
#          --stop-stage M  end here (6)
#          --nj N          parallel jobs (2)
#          --corpus DIR    folder with train/ and dev/, or its parent
#          --network NAME  network of the acoustic model (tdnnf), by its conf/train_NAME.conf, here or in Sidamo's conf/
#          --seed N        of the training (0)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./path.sh
. ./cmd.sh
. utils/stages.sh

nj=2
corpus=downloads/mboshi-french-parallel-corpus
network=tdnnf
seed=0
. utils/parse_options.sh
model=exp/$network

if stage 0 data "Who says what, and in which file?"; then
  local/prepare_data.py "$corpus" data
  for part in train dev; do utils/validate_data_dir.sh --no-feats data/$part; done
fi

if stage 1 features "What does the ear keep of a sound? (pitch too: an accent marks a high tone)"; then
  need 0 data/{train,dev}/wav.scp
  for part in train dev; do
    steps/make_fbank_pitch.sh --nj "$nj" --cmd "$train_cmd" --fbank-config conf/fbank.conf \
      --pitch-postprocess-config conf/pitch_postprocess.conf data/$part exp/make_fbank/$part fbank
    steps/compute_cmvn_stats.sh data/$part exp/make_fbank/$part fbank
    utils/validate_data_dir.sh data/$part
  done
fi

if stage 2 language "How is a word spelled (L), which words may follow each other (G), how do frames spell letters (T)?"; then
  need 0 data/{train,dev}/text
  # Words of the training text only: about a fifth of the dev words are none of them.
  local/prepare_dict.py data/train/text data/local/dict
  utils/prepare_lang.sh --ctc true data/local/dict "<unk>" data/local/lang data/lang
  utils/train_lm.sh --order 3 data/train/text data/local/lm/3gram.arpa.gz
  utils/format_lm.sh data/lang data/local/lm/3gram.arpa.gz data/local/dict/lexicon.txt data/lang_3gram
  utils/mkgraph.sh data/lang_3gram exp/graph_3gram
  # An open vocabulary spells the other words by letters, as likely as words occur once in the training text (Good 1953).
  utils/open_dict.sh --end-unit "|" data/local/dict data/local/dict_open
  utils/prepare_lang.sh --ctc true data/local/dict_open "<unk>" data/local/lang_open data/lang_open
  utils/format_lm.sh data/lang_open data/local/lm/3gram.arpa.gz data/local/dict_open/lexicon.txt data/lang_open_3gram
  utils/open_grammar.sh --mass 0.2 data/lang_open_3gram data/local/dict_open/spelling.txt
  utils/mkgraph.sh data/lang_open_3gram exp/graph_open
  # The spelling of all words, for the letter error rate of the dev set during training; never for decoding.
  local/prepare_dict.py data/{train,dev}/text data/local/dict_spelling
  utils/prepare_lang.sh --ctc true data/local/dict_spelling "<unk>" data/local/lang_spelling data/lang_spelling
  cmp data/lang{,_spelling}/tokens.txt
fi

if stage 3 training "Which letter does each stretch of sound belong to? (nobody tells where one begins: that is what CTC learns)"; then
  need 1 data/{train,dev}/feats.scp
  need 2 data/lang_spelling/tokens.txt
  config=conf/train_$network.conf
  if [ ! -f "$config" ]; then config=$SIDAMO_ROOT/$config; fi
  steps/train_ctc.sh --cmd "$train_cmd" --train-config "$config" --train-opts="--word-boundary=|" --seed "$seed" \
    data/train data/dev data/lang_spelling "$model"
fi

if stage 4 decoding "Which words explain the sound best?"; then
  need 1 data/dev/feats.scp
  need 2 exp/graph_3gram/TLG.fst
  need 3 "$model/final.pt"
  steps/decode_greedy.sh --nj "$nj" --cmd "$decode_cmd" --word-boundary "|" data/dev "$model" "$model/greedy_dev"
  # CTC says blank too often in what it has not learned well: a part of the label prior is taken off. CTC-CRF has no need of it.
  prior=$(if grep -q '^--criterion=ctc-crf' "$model/train.conf"; then echo 0; else echo 0.3; fi)
  for graph in 3gram open; do
    steps/decode.sh --nj "$nj" --cmd "$decode_cmd" --prior-scale "$prior" exp/graph_$graph data/dev "$model/decode_${graph}_dev"
  done
fi

if stage 5 scoring "How many words, and how many letters, are wrong?"; then
  need 4 "$model/decode_3gram_dev/lat.1.gz"
  for g in 3gram open; do local/score.sh --cmd "$decode_cmd" --min-lmwt 3 --max-lmwt 14 data/dev exp/graph_$g "$model/decode_${g}_dev"; done
fi

if stage 6 report "What went wrong, and why?"; then
  need 5 "$model/decode_3gram_dev/scoring_kaldi/best_wer"
  steps/report.sh "$model"
fi
stages_end
echo
cat "$model/greedy_dev/wer" "$model/greedy_dev/cer" 2>/dev/null || true
for decode in decode_3gram_dev decode_open_dev; do
  utils/best_wer.sh "$model/$decode"/cer_* | sed 's/^%WER/%CER/' || true
  utils/best_wer.sh "$model/$decode"/wer_* || true
done
if [ -f "$model/report.html" ]; then echo "report: $PWD/$model/report.html"; fi
