#!/bin/sh
# Checks that a folder has exactly the files of the given locks: verify.sh FOLDER LOCK...
set -eu
folder=$1
shift
sums=$(sed -e '/^#/d' -e 's|^\([0-9a-f]*\)  [0-9]*  .*/|\1  |' "$@")
cd "$folder"
echo "$sums" | sha256sum --check --strict --quiet
if [ "$(ls | LC_ALL=C sort)" != "$(echo "$sums" | cut -c67- | LC_ALL=C sort -u)" ]; then
  echo "$folder has files that are not in $*" >&2
  exit 1
fi
