#!/usr/bin/env bash
# The yesno corpus (OpenSLR resource 1): 60 recordings of one man who says eight times "yes" or "no" in Hebrew.
#
# Writes  <downloads>/waves_yesno.tar.gz, <downloads>/waves_yesno/*.wav
# Example: local/download_data.sh downloads
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 1 ]; then echo "usage: local/download_data.sh <downloads-dir>" >&2; exit 1; fi
dir=$1

# Two sums are in circulation: the archive was packed twice.
"$SIDAMO_ROOT/utils/download.py" \
  --sha256 c3f49e0cca421f96b75b41640749167b52118f232498667ca7a5f9416aef8e73,30301975fd8c5cac4040c261c0852f57cfa8adbbad2ce78e77e4986957445f27 \
  https://www.openslr.org/resources/1/waves_yesno.tar.gz "$dir/waves_yesno.tar.gz" \
  https://us.openslr.org/resources/1/waves_yesno.tar.gz

if [ ! -f "$dir/waves_yesno/.done" ]; then
  rm -rf "$dir/unpacking" "$dir/waves_yesno"
  mkdir -p "$dir/unpacking"
  tar -xzf "$dir/waves_yesno.tar.gz" -C "$dir/unpacking"
  mv "$dir/unpacking/waves_yesno" "$dir/waves_yesno"
  rm -rf "$dir/unpacking"
  touch "$dir/waves_yesno/.done"
fi
