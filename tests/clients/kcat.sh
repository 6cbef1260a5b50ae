#!/bin/sh
# What kcat can do with the broker: one line of output for each thing tried.
#
# usage: kcat.sh BOOTSTRAP DIRECTORY-FOR-SCRATCH
#
# kcat creates no topics; asking for one does, if the broker lets it.

set -u
bootstrap=$1 scratch=$2 topic=kcat
mkdir -p "$scratch"

attempt() {
    if why=$("$1" 2>&1); then echo "ok $2"; else echo "failed $2: $(echo "$why" | tail -1)"; fi
}

auto_create() {
    kcat -b "$bootstrap" -L -t "$topic" >/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kcat -b "$bootstrap" -L -t "$topic" | grep -q "partition 0, leader [0-9]" && return 0
        sleep 0.5
    done
    echo "the topic was not created"; return 1
}

# Key, value and headers of record N follow from N; kcat repeats one set of headers for all records of a run.
records() { seq "$1" "$2" | awk '{print "key-" $1 % 97 ":value " $1}'; }

produce() {
    for codec in none gzip snappy lz4 zstd; do
        case $codec in none) first=0;; gzip) first=1000;; snappy) first=2000;; lz4) first=3000;; zstd) first=4000;; esac
        records $first $((first + 999)) | kcat -b "$bootstrap" -P -t "$topic" -p 0 -K: -z $codec \
            -X acks=all -X enable.idempotence=true -H codec=$codec -H twice=first -H twice=second || return 1
    done
}

consume() {
    for codec in none gzip snappy lz4 zstd; do
        case $codec in none) first=0;; gzip) first=1000;; snappy) first=2000;; lz4) first=3000;; zstd) first=4000;; esac
        records $first $((first + 999)) | sed "s/$/ codec=$codec,twice=first,twice=second/"
    done | awk '{print NR - 1 " " $0}' > "$scratch/wanted"
    kcat -b "$bootstrap" -C -t "$topic" -p 0 -o beginning -e -q -f '%o %k:%s %h\n' > "$scratch/read" || return 1
    cmp "$scratch/wanted" "$scratch/read"
}

ends() {
    [ "$(kcat -b "$bootstrap" -Q -t "$topic:0:-1" | awk '{print $NF}')" = 5000 ] &&
        [ "$(kcat -b "$bootstrap" -Q -t "$topic:0:-2" | awk '{print $NF}')" = 0 ]
}

seek_by_time() {
    middle=$(kcat -b "$bootstrap" -C -t "$topic" -p 0 -o 2500 -c 1 -q -f '%T') || return 1
    found=$(kcat -b "$bootstrap" -Q -t "$topic:0:$middle" | awk '{print $NF}')
    first=$(kcat -b "$bootstrap" -C -t "$topic" -p 0 -o beginning -e -q -f '%T %o\n' | awk -v at="$middle" '$1 >= at {print $2; exit}')
    [ "$found" = "$first" ] || { echo "found $found, first is $first"; return 1; }
}

describe_cluster() {
    kcat -b "$bootstrap" -L -J | grep -q '"brokers":\[{"id":1'
}

# A member of a group that reads what is there and then leaves.
member() {
    of=$1; shift
    exec kcat -b "$bootstrap" -G "$of" -X auto.offset.reset=earliest -X session.timeout.ms=6000 -q -f '%o\n' "$@" "$topic"
}

more() { records 1 10 | kcat -b "$bootstrap" -P -t "$topic" -p 0 -K: -X acks=all; }

groups() {
    group="kcat-$$"
    [ "$( (member "$group" -e) 2>/dev/null | wc -l)" = 5000 ] || { echo "a first member does not read everything"; return 1; }
    more
    [ "$( (member "$group" -e) 2>/dev/null | wc -l)" = 10 ] || { echo "a second one does not go on where the first has stopped"; return 1; }
    # One that dies leaves its partition to another.
    member "$group" >"$scratch/first" 2>/dev/null & first=$!
    sleep 5
    member "$group" -c 10 >"$scratch/second" 2>/dev/null & second=$!
    sleep 1
    kill -9 $first
    more
    wait $second
    [ "$(wc -l <"$scratch/second")" = 10 ] || { echo "the survivor reads $(wc -l <"$scratch/second") records"; return 1; }
}

attempt auto_create auto-create
attempt produce produce
attempt consume consume
attempt ends ends
attempt seek_by_time seek-by-time
attempt describe_cluster describe-cluster
attempt groups groups
