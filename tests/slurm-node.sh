#!/usr/bin/env bash
# A Slurm of one node on this machine, to try the Slurm profile where there is no cluster:
#
#     tests/slurm-node.sh start FOLDER      # ends in a line that makes Slurm's commands use it
#     tests/slurm-node.sh status FOLDER
#     tests/slurm-node.sh stop FOLDER
#
# It is for tests, not for work. Configuration, key, sockets, state and logs all lie in FOLDER, and
# it listens on free ports of 127.0.0.1: a Slurm or munge that is installed here is not touched.
# The node declares 16 processors, 64 GB and one GPU whatever the machine has, so that the jobs of
# the profile fit as they are; the GPU is a name with no device behind it. There is no accounting:
# `jobs.txt` in FOLDER lists the jobs that ended.
set -euo pipefail

usage() { sed -n '3,5s/^# *//p' "$0" >&2; exit 2; }
fail() { echo "slurm-node.sh: $*" >&2; exit 1; }

[ $# -eq 2 ] || usage
folder=$(realpath -m "$2")
export SLURM_CONF=$folder/slurm.conf
PATH=$PATH:/usr/sbin:/sbin

free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)); do
        # Nothing answers there: the connection is refused.
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# The process id of one of our daemons, where it runs: a stale file may name a foreign process.
running() {
    local pid
    pid=$(cat "$folder/$1.pid" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] && echo "$pid"
}

configure() {
    local host slurmctld_port slurmd_port
    host=$(hostname -s)
    slurmctld_port=$(free_port)
    slurmd_port=$(free_port)
    mkdir -p "$folder/bin" "$folder/state" "$folder/spool"
    chmod 755 "$folder"
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    echo "Name=gpu File=/dev/null" >"$folder/gres.conf"
    # Snakemake's plugin takes SLURM_CONF away from the srun inside a job.
    printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(command -v srun)" \
        >"$folder/bin/srun"
    chmod +x "$folder/bin/srun"
    cat >"$SLURM_CONF" <<END
ClusterName=one-node
SlurmUser=root
MailProg=/bin/true
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$slurmctld_port
SlurmdPort=$slurmd_port
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
PlugStackConfig=$folder/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/jobs.txt
ReturnToService=2
KillWait=5
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=16 RealMemory=65536 Gres=gpu:1 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
}

start() {
    [ "$(id -u)" -eq 0 ] || fail "start needs root, this is $(id -un)"
    local program
    for program in munged slurmctld slurmd sbatch; do
        command -v "$program" >/dev/null ||
            fail "no $program; install Slurm: apt-get install -y slurm-wlm munge"
    done
    if running munged >/dev/null || running slurmctld >/dev/null || running slurmd >/dev/null; then
        fail "a node of $folder runs already; stop it first"
    fi
    if [ -e "$folder" ] && [ ! -e "$SLURM_CONF" ] && [ -n "$(ls -A "$folder")" ]; then
        fail "$folder holds other files; give a new or an empty folder"
    fi
    configure
    # What was started is stopped again where something goes wrong on the way.
    trap 'stop >&2' EXIT
    # --force: a folder closed to others is good enough for root's own jobs.
    munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
        --pid-file="$folder/munged.pid" --seed-file="$folder/munge.seed" \
        --log-file="$folder/munged.log" 2>>"$folder/munged.log" || fail "see $folder/munged.log"
    slurmctld -f "$SLURM_CONF" || fail "see $folder/slurmctld.log"
    slurmd -f "$SLURM_CONF" || fail "see $folder/slurmd.log"
    local deadline=$((SECONDS + 30))
    until [ "$(timeout 5 sinfo --noheader --format=%T 2>/dev/null)" = idle ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the node is not idle after 30 s; see $folder/*.log"
        sleep 0.5
    done
    trap - EXIT
    printf 'export SLURM_CONF=%q PATH=%q:$PATH\n' "$SLURM_CONF" "$folder/bin"
}

stop() {
    local daemon pid waited
    if running slurmctld >/dev/null; then
        timeout 20 scancel --user="$(id -un)" 2>/dev/null || true
        # Jobs end while the daemons still listen to them.
        for waited in {1..40}; do
            [ -n "$(timeout 5 squeue --noheader 2>/dev/null)" ] || break
            sleep 0.5
        done
    fi
    for daemon in slurmctld slurmd munged; do
        pid=$(running "$daemon") || continue
        kill "$pid"
        for waited in {1..40}; do
            kill -0 "$pid" 2>/dev/null || break
            [ "$waited" -lt 40 ] || kill -KILL "$pid"
            sleep 0.25
        done
    done
}

status() {
    local daemon
    for daemon in munged slurmctld slurmd; do
        running "$daemon" >/dev/null || fail "$daemon of $folder does not run"
    done
    sinfo
    squeue
}

case $1 in
    start | stop | status) "$1" ;;
    *) usage ;;
esac
