"""The records that every client writes and reads, and how a program tells what it tried.

Record n has key, value, headers and time that follow from n alone, so a reader can judge what it reads without a copy.
A line of output is `ok WHAT`, or `failed WHAT: WHY`.
"""

import subprocess
import sys
import time
import traceback

PARTITIONS = 6
RECORDS = 5000
# Written while a broker is killed and comes back.
STOP_RECORDS = 3000
# Shared by the members of a group.
GROUP_RECORDS = 600
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
# Yesterday: what is written today may neither be given up by retention nor lie in the future.
BEGINNING = (int(time.time()) - 86_400) * 1000


def key_of(n):
    return f"key-{n % 97}".encode()


def value_of(n):
    return (f"value {n} " + "abcdefgh" * (n % 13)).encode()


def time_of(n):
    return BEGINNING + n * 1000


def duplicate_headers(n):
    return [("n", str(n)), ("twice", "first"), ("twice", "second")]


class Journal:
    """What was acknowledged, where; and what was read."""

    def __init__(self, topic):
        self.topic = topic
        self.noted = {}
        self.read = set()

    def block(self, codec):
        """The records written with this codec."""
        size = RECORDS // len(CODECS)
        first = CODECS.index(codec) * size
        return range(first, first + size)

    def note(self, n, partition, offset):
        """Record n was acknowledged at this place."""
        assert (partition, offset) not in self.noted, f"{partition}/{offset} was given twice"
        self.noted[(partition, offset)] = n

    def end(self, partition):
        """Where the partition ends."""
        return sum(1 for place, _ in self.noted if place == partition)

    def check(self, partition, offset, key, value, headers, timestamp):
        """A record was read: is it the one that was acknowledged there?"""
        n = self.noted[(partition, offset)]
        assert (partition, offset) not in self.read, f"{partition}/{offset} was read twice"
        before = max((o for p, o in self.last() if p == partition), default=-1)
        assert offset == before + 1, f"{partition}/{offset} comes after {before}"
        self.lasts[partition] = offset
        self.read.add((partition, offset))
        found, wanted = (key, value, headers, timestamp), (key_of(n), value_of(n), duplicate_headers(n), time_of(n))
        assert found == wanted, f"{partition}/{offset}: {found} instead of {wanted}"

    lasts = {}

    def last(self):
        """The newest offset read of each partition."""
        return self.lasts.items()

    def finish(self):
        """All that was acknowledged must have been read."""
        assert self.read == set(self.noted), f"{len(self.noted) - len(self.read)} records are missing"

    def first_at(self, partition, timestamp):
        """The first offset of the partition whose record is not older."""
        return min(offset for (place, offset), n in self.noted.items() if place == partition and time_of(n) >= timestamp)

    def eventually(self, holds):
        """What the controller has decided reaches each broker a little later."""
        deadline = time.time() + 20
        while not holds():
            assert time.time() < deadline, "it did not come true within 20 s"
            time.sleep(0.1)

    def run(self, steps):
        """Tries each step, and tells how it went."""
        for step in steps:
            name = step.__name__.replace("_", "-")
            try:
                step()
                print(f"ok {name}", flush=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                traceback.print_exc()
                print(f"failed {name}: {type(error).__name__} {error}", flush=True)


class Sharing:
    """What members of a group do; how, is said by the program of each client.

    `join(group, name)` makes a member, `poll(member)` gives `(partition, offset, value)` of what it reads in a short while, `owned(member)` the
    partitions that it was assigned, `commit(member)` commits what it has read, `leave(member)` ends it in order, `write(name, values)` writes.
    """

    def __init__(self, program, join, poll, owned, commit, leave, write):
        self.program, self.join, self.poll, self.owned = program, join, poll, owned
        self.commit, self.leave, self.write = commit, leave, write

    def settle(self, members, read, patience=60):
        """Polls until the members share all partitions, each has some, and none has two owners."""
        deadline = time.time() + patience
        while True:
            for member in members:
                self.read(member, read)
            owned = [set(self.owned(member)) for member in members]
            if all(owned) and sum(map(len, owned)) == len(set().union(*owned)) == PARTITIONS:
                return owned
            assert time.time() < deadline, f"partitions are owned like this: {owned}"

    def read(self, member, read):
        """Whatever is read again must be the same."""
        for partition, offset, value in self.poll(member):
            assert read.setdefault((partition, offset), value) == value, f"two values at {partition}/{offset}"

    def read_all(self, members, read, count, patience=60):
        """Polls until so many records were read."""
        deadline = time.time() + patience
        while len(read) < count:
            for member in members:
                self.read(member, read)
            assert time.time() < deadline, f"{count - len(read)} records did not come"

    def live(self, bootstrap, name):
        """A group lives: members come, leave, die and come back."""
        group, read = f"{name}-group", {}
        self.write(name, [value_of(n) for n in range(GROUP_RECORDS // 2)])
        first = self.join(group, name)
        self.settle([first], read)
        self.read_all([first], read, GROUP_RECORDS // 2)
        self.commit(first)
        second = self.join(group, name)
        self.settle([first, second], read)
        self.write(name, [value_of(n) for n in range(GROUP_RECORDS // 2, GROUP_RECORDS)])
        self.read_all([first, second], read, GROUP_RECORDS)
        assert sorted(read.values()) == sorted(value_of(n) for n in range(GROUP_RECORDS)), "other records than were written"
        for member in (first, second):
            self.commit(member)
        self.leave(second)
        self.settle([first], read)
        # A process that dies says nothing; its session decides.
        third = subprocess.Popen([sys.executable, self.program, bootstrap, "member", group, name], stdout=subprocess.PIPE)
        deadline = time.time() + 60
        while len(self.owned(first)) in (0, PARTITIONS):
            self.read(first, read)
            assert time.time() < deadline, "the other process does not become a member"
        third.kill()
        self.settle([first], read)
        self.commit(first)
        self.leave(first)
        # Whoever comes later goes on where the group has stopped.
        again, later = self.join(group, name), {}
        self.settle([again], later)
        self.write(name, [value_of(n) for n in range(100)])
        self.read_all([again], later, 100)
        assert sorted(later.values()) == sorted(value_of(n) for n in range(100)), "the group did not go on where it had stopped"
        self.commit(again)
        self.leave(again)

    def be_member(self, group, name):
        """A member until it is killed."""
        member = self.join(group, name)
        while True:
            self.poll(member)

    def outlive(self, name, group):
        """The coordinator of this group is killed and comes back: the group goes on, and processes everything."""
        total, read, written = STOP_RECORDS // 3, {}, 0
        members = [self.join(group, name), self.join(group, name)]
        self.settle(members, read)
        while written < total:
            if written == total // 2:
                print("halfway", flush=True)
            self.write(name, [value_of(n) for n in range(written, written + 20)])
            written += 20
            for member in members:
                self.read(member, read)
                try:
                    self.commit(member)
                except Exception:  # noqa: BLE001 - a rebalance, or no coordinator: the next commit says it again
                    traceback.print_exc()
        self.read_all(members, read, total, 90)
        assert sorted(read.values()) == sorted(value_of(n) for n in range(total)), "other records than were written"
        self.settle(members, read)
        for member in members:
            self.commit(member)
            self.leave(member)
        again, later = self.join(group, name), {}
        self.settle([again], later)
        assert not later, f"{len(later)} records were read again that had been committed"
        self.leave(again)
