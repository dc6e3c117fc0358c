#!/bin/sh
# Make every run of a preset at low priority, from a clone of the last commit, so that work in this
# tree can go on beside it:
#
#     workflow/compute.sh PRESET FOLDER [--networks NETWORK...]
#
# FOLDER lies outside the repository and keeps the clone and everything that is made. The same
# command resumes after any stop. `CHESTKD_BUILD=FOLDER/build make book PRESET=...` then reads the
# runs that are there.
set -eu
preset=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
test -d "$folder/source" || git clone --quiet --no-checkout "$root" "$folder/source"
git -C "$folder/source" fetch --quiet "$root" HEAD
git -C "$folder/source" checkout --quiet --detach FETCH_HEAD
cd "$folder/source"
export CHESTKD_BUILD="$folder/build" PYTHONPATH="$folder/source" TF_CPP_MIN_LOG_LEVEL=2
exec nice -n 19 "$root/.venv/bin/python" -m chestkd train --preset "$preset" "$@"
