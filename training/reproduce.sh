#!/usr/bin/env bash
# From corpora and encoders to a model of the repository, with the seconds that each step took.
# usage: training/reproduce.sh small|base|muc4 CORPORA ENCODERS RUNS
#   CORPORA    has gold/{train,dev}.jsonl, unlabelled/passages.jsonl and muc4/{train,dev}.jsonl
#   ENCODERS   has minilm/ and mpnet/, the encoders that the configurations name
#   RUNS       gets a folder a run, and times.tsv; a step that is in it is not done again, and a run that was stopped goes on
# Passages of training/standoff that repeat one of gold/dev are left out throughout; the first stages of the models in the repository had learnt them.
set -euo pipefail

[ $# -eq 4 ] || { sed -n 's/^# \{0,1\}//p' "$0" | sed -n 2,5p >&2; exit 2; }
mkdir -p "$4"
model=$1 corpora=$(realpath "$2") encoders=$(realpath "$3") runs=$(realpath "$4")
cd "$(dirname "$(realpath "$0")")/.."

step() { # NAME COMMAND…
  local name=$1 started=$SECONDS
  shift
  if grep -qsP "^$name\t" "$runs/times.tsv"; then return; fi
  "$@"
  printf '%s\t%s\n' "$name" "$((SECONDS - started))" | tee -a "$runs/times.tsv"
}

gold=(--train "$corpora/gold/train.jsonl" --train training/corpus/train.jsonl --dev "$corpora/gold/dev.jsonl")
texts=$corpora/unlabelled/passages.jsonl
mpnet=$encoders/mpnet

passages() { # NAME FIRST LAST: passages of training/standoff with their texts, without those that are held out under other ids
  sed -n "$2,$3p" training/standoff/annotation.jsonl > "$runs/$1.standoff.jsonl"
  step "$1" python training/standoff.py join "$runs/$1.standoff.jsonl" "$texts" "$runs/$1.joined.jsonl"
  step "$1-apart" python training/leaks.py "$runs/$1.joined.jsonl" --against "$corpora/gold/dev.jsonl" --output "$runs/$1.jsonl"
}

first_base() {
  step base-first accelerate launch training/train.py configs/base.yaml "${gold[@]}" --output "$runs/base-first" --encoder "$mpnet"
}

second_base() {
  first_base
  passages base-passages 1 1928
  step base-second accelerate launch training/train.py configs/base_continued.yaml "${gold[@]}" --train "$runs/base-passages.jsonl" \
    --output "$runs/base-second" --encoder "$mpnet" --init "$runs/base-first"
}

base() {
  second_base
  passages again-passages 1 4466
  step base-third accelerate launch training/train.py configs/base_again.yaml "${gold[@]}" --train "$runs/again-passages.jsonl" \
    --output "$runs/base-third" --encoder "$mpnet" --init "$runs/base-second"
  passages all-passages 1 10741
  step base accelerate launch training/train.py configs/base_more.yaml "${gold[@]}" --train training/corpus/more.jsonl --train "$runs/all-passages.jsonl" \
    --output "$runs/base" --encoder "$mpnet" --init "$runs/base-third"
}

small() {
  step small-first accelerate launch training/train.py configs/small.yaml "${gold[@]}" --output "$runs/first" --encoder "$encoders/minilm"
  step small-continued accelerate launch training/train.py configs/small_continued.yaml "${gold[@]}" --output "$runs/continued" --init "$runs/first"
  local taught=("${gold[@]}" --teacher-encoder "$mpnet" --texts "$texts")
  step small-distilled accelerate launch training/distill.py configs/distilled.yaml "${taught[@]}" --output "$runs/distilled" --init "$runs/continued" \
    --teacher "$runs/base-first"
  passages small-passages 1 3170
  step small-distilled-again accelerate launch training/distill.py configs/distilled_again.yaml "${taught[@]}" --train "$runs/small-passages.jsonl" \
    --output "$runs/distilled-again" --init "$runs/distilled" --teacher "$runs/base-second"
  passages most-passages 1 8974
  step small-again accelerate launch training/train.py configs/small_again.yaml "${gold[@]}" --train "$runs/most-passages.jsonl" \
    --output "$runs/again" --init "$runs/distilled-again"
  passages last-passages 8975 10741
  step small-gentle accelerate launch training/train.py configs/small_gentle.yaml "${gold[@]}" --train "$runs/last-passages.jsonl" \
    --output "$runs/gentle" --init "$runs/again"
  step small-shrunk python training/shrink.py "$runs/gentle" "$runs/shrunk" --encoder "$encoders/minilm" --seed 41
  passages afresh-passages 1 12022
  step small-afresh accelerate launch training/train.py configs/small_afresh.yaml "${gold[@]}" --train training/corpus/more.jsonl \
    --train "$runs/afresh-passages.jsonl" --output "$runs/afresh" --init "$runs/shrunk"
  step small-mean python training/soup.py "$runs/gentle" "$runs/gentle" "$runs/afresh" "$runs/small"
  step small-thresholds python training/thresholds.py "$runs/small" "$corpora/gold/dev.jsonl"
}

muc4() {
  local part
  for part in train dev; do
    step "muc4-$part" conflict-nlp convert "$corpora/muc4/$part.jsonl" "$runs/muc4-$part.jsonl" --from muc4 --schema configs/muc4.yaml
  done
  local documents=(--train "$runs/muc4-train.jsonl" --dev "$runs/muc4-dev.jsonl" --encoder "$mpnet")
  step muc4-first accelerate launch training/train.py configs/muc4.yaml "${documents[@]}" --output "$runs/muc4-first" --init-encoder "$runs/base-first"
  step muc4-continued accelerate launch training/train.py configs/muc4_continued.yaml "${documents[@]}" --output "$runs/muc4-continued" --init "$runs/muc4-first"
  step muc4-mean python training/soup.py "$runs/muc4-first" "$runs/muc4-continued" "$runs/muc4"
  step muc4-thresholds python training/tune_muc4.py "$runs/muc4" "$corpora/muc4/dev.jsonl" --encoder "$mpnet"
}

case ${model,,} in
  base) base ;;
  small) second_base; small ;;
  muc4) first_base; muc4 ;;
  *) echo "there is no model $model: small, base or muc4" >&2; exit 2 ;;
esac
