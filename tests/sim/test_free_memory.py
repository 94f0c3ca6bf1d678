"""How much memory is free: of the machine, of the control groups a process is in, of its limit."""

import math

from sim.free_memory import free_bytes


def written(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_machine_says_what_is_available(tmp_path):
    proc = written(tmp_path / "proc", {
        "meminfo": "MemTotal: 8000 kB\nMemFree: 10 kB\nMemAvailable: 4000 kB\nHugePages_Free: 0\n"})
    assert free_bytes(proc, tmp_path) == 4000 * 1024


def test_the_tightest_control_group_counts_and_files_it_can_drop_do_not(tmp_path):
    proc = written(tmp_path / "proc", {"meminfo": "MemAvailable: 4000000 kB\n",
                                       "self/cgroup": "0::/outer/inner\n"})
    groups = written(tmp_path / "groups", {
        "memory.max": "max\n", "memory.current": "77\n",
        "outer/memory.max": "1000000\n", "outer/memory.current": "900000\n",
        "outer/memory.stat": "anon 5\ninactive_file 50000\n",
        "outer/inner/memory.max": "max\n", "outer/inner/memory.current": "3\n"})
    assert free_bytes(proc, groups) == 1_000_000 - 900_000 + 50_000


def test_control_groups_of_the_first_version(tmp_path):
    proc = written(tmp_path / "proc", {
        "self/cgroup": "12:cpu,cpuacct:/job\n11:memory:/job\nnot a line:of:groups\n"})
    groups = written(tmp_path / "groups", {
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/memory.usage_in_bytes": "5\n",
        "memory/job/memory.limit_in_bytes": "3000\n", "memory/job/memory.usage_in_bytes": "4000\n"})
    assert free_bytes(proc, groups) == 0


def test_where_nothing_is_said_there_is_no_limit(tmp_path):
    assert free_bytes(tmp_path, tmp_path) == math.inf
    assert free_bytes() > 0
