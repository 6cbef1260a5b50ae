"""Runs kafka-python's own integration tests, which come with its source distribution, against a broker.

usage: suite.py BOOTSTRAP DIRECTORY [NAME-OF-CASE ...]

Prints `passed CASE`, `skipped CASE` or `failed CASE: WHY` for each (`again failed CASE: WHY` before a second attempt), every case in a
process of its own, so that one that hangs takes no other with it. DIRECTORY holds the unpacked distribution. Two files are missing from it, which would start servers of its own: stubs
stand in for them.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

VERSION = "4.2.0"
PATIENCE = 40
AT_ONCE = 4
STUBS = {
    "test/__init__.py": "",
    "test/service.py": (
        "class ExternalService:\n    def __init__(self, host, port):\n        self.host, self.port = host, port\n\n"
        "class SpawnedService:\n    def __init__(self, *arguments):\n        raise NotImplementedError('the server is there')\n"
    ),
}

bootstrap, place, wanted = sys.argv[1].split(",")[0], pathlib.Path(sys.argv[2]), set(sys.argv[3:])
for name, text in STUBS.items():
    (place / name).write_text(text)
(place / f"servers/{VERSION}/kafka-bin").mkdir(parents=True, exist_ok=True)
(place / "servers/resources/default").mkdir(parents=True, exist_ok=True)
environment = {**os.environ, "KAFKA_URI": f"kafka://{bootstrap}", "KAFKA_VERSION": VERSION, "PYTHONDONTWRITEBYTECODE": "1"}


def pytest(*arguments, patience=PATIENCE):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=patience)


def attempt(case):
    try:
        done = pytest("--tb=line", "-rs", case)
    except subprocess.TimeoutExpired:
        return f"failed {case}: it did not end within {PATIENCE} s"
    if done.returncode == 0:
        return f"{'passed' if re.search(r'[0-9]+ passed', done.stdout) else 'skipped'} {case}"
    why = [line for line in done.stdout.splitlines() if line.startswith(("E  ", "/")) or "Error" in line]
    return f"failed {case}: {why[0][:300] if why else done.stdout[-300:]!r}"


def attempts(case):
    """A case that fails is tried once more: a consumer of 3.0.12 loses its subscription if it subscribes in the very moment in which its
    first metadata arrives, and then waits five minutes for the next. Such a second attempt is told."""
    told = attempt(case)
    if not told.startswith("failed"):
        return told
    print(f"again {told}", flush=True)
    return attempt(case)


cases = [line for line in pytest("--collect-only", "test/integration").stdout.splitlines() if "::" in line]
with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
    for told in pool.map(attempts, [case for case in cases if not wanted or case in wanted]):
        print(told, flush=True)
