#!/usr/bin/env bash
# Runs a command on a GPU of its own:
#
#     workflow/with-gpu.sh GPUS COMMAND [ARGUMENT ...]
#
# Snakemake knows how many GPUs its jobs use, but not which. With GPUS = 1 the command sees one GPU
# of this machine that no other such command of this user has locked; it waits while all are locked.
# The choice is among CUDA_VISIBLE_DEVICES, or among all GPUs where that is not set. The lock is on a
# file, and the system releases it when the command ends, for whatever reason. If only one GPU is
# visible, it is used without a lock: a Slurm job sees its own GPU as number 0, and so does its
# neighbor. With GPUS = 0 the command runs unchanged.
set -euo pipefail

fail() { echo "with-gpu.sh: $*" >&2; exit 1; }

[ $# -ge 2 ] || fail "give 0 or 1 and a command"
gpus=$1
shift
case $gpus in
    0) exec "$@" ;;
    1) ;;
    *) fail "a job may ask for 0 or 1 GPU, not $gpus" ;;
esac

all_gpus() { nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null | paste -sd, -; }

visible=${CUDA_VISIBLE_DEVICES-$(all_gpus || true)}
IFS=, read -ra devices <<<"${visible// /}"
case ${#devices[@]} in
    0) fail "no GPU is visible (CUDA_VISIBLE_DEVICES, nvidia-smi); run without the GPU profile" ;;
    1) CUDA_VISIBLE_DEVICES=${devices[0]} exec "$@" ;;
esac

locks=${TMPDIR:-/tmp}/chestkd-gpus-$(id -u)
mkdir -p -m 700 "$locks"
waiting=
while true; do
    for device in "${devices[@]}"; do
        # The command inherits the open file, and with it the lock.
        exec 9>"$locks/${device//\//_}"
        if flock --nonblock 9; then
            CUDA_VISIBLE_DEVICES=$device exec "$@"
        fi
    done
    [ -n "$waiting" ] || echo "with-gpu.sh: waiting, GPUs $visible are all in use" >&2
    waiting=yes
    sleep 1
done
