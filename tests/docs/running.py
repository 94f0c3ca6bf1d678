"""Running a document's blocks from top to bottom in a folder of their own, as its reader would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Literal

from tests.docs.documents import ROOT, Block, commands
from tests.docs.forks import Forks
from tests.docs.reductions import rule_of

Size = Literal["quick", "full"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1",
               "MPLBACKEND": "Agg"}
DOORS = ("sim", "analysis", "figures", "gpu")
LONGEST_S = 600


class Reader:
    """Someone with this repository checked out and its environment activated, in `folder`."""

    def __init__(self, folder: Path, size: Size, forks: Forks | None = None) -> None:
        self.folder, self.size, self.forks = folder, size, forks
        self.said = ""  # by the Python block before
        shutil.copytree(ROOT / "figures/experiments", folder / "figures/experiments")

    def read(self, block: Block) -> list[tuple[str, list[str], str]]:
        """Do what a block says; (command, expected lines, printed) where the block shows both.

        An `output` block shows what the Python block before it prints.
        """
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            self.said = self.run([sys.executable, "-c", block.text], f"python, line {block.line}")
        elif block.language == "output":
            return [("the Python above", block.text.splitlines(), self.said)]
        elif block.language in ("bash", "console"):
            found = [(each, self.obey(each.line)) for each in commands(block)]
            return [(each.line, each.output, said) for each, said in found
                    if each.output is not None and said is not None]
        return []

    def obey(self, line: str) -> str | None:
        """Run a line, or check what of it can be; what it printed where it ran as it stands."""
        parts = [part.strip() for part in line.split(" && ")]
        if len(parts) > 1:
            for part in parts:
                self.obey(part)
            return None
        words = shlex.split(line)
        if words[0] in ("make", "pip", "python3", "."):
            check_setting_up(words)
            return None
        self.bring(words)
        added = getattr(rule_of(line), self.size)
        if added is None:
            check_options(words)
            return None
        argv = replaced(words, shlex.split(added))
        said = self.run(executable(argv), line)
        return said if not added else None

    def run(self, argv: list[str], what: str) -> str:
        if self.forks is not None and argv[0] == sys.executable:
            code, out, err = self.forks.run(argv, self.folder)
        else:
            done = subprocess.run(argv, cwd=self.folder, env=ENVIRONMENT, text=True,
                                  timeout=LONGEST_S, capture_output=True, check=False)
            code, out, err = done.returncode, done.stdout, done.stderr
        assert code == 0, f"{what}\n{out}\n{err}"
        return out

    def bring(self, words: list[str]) -> None:
        """Put files and folders of the repository that a command names where it will look."""
        for word in words:
            source, here = ROOT / word, self.folder / word
            if "/" in word and not word.startswith(("/", ".")) and not here.exists():
                here.parent.mkdir(parents=True, exist_ok=True)
                if source.is_file():
                    shutil.copy(source, here)
                elif source.is_dir() and word.startswith("figures/"):
                    shutil.copytree(source, here)


def executable(argv: list[str]) -> list[str]:
    """What a command is without an activated environment: this Python, this repository's door."""
    if argv[0] == "python":
        return [sys.executable, *argv[1:]]
    if argv[0] == "pipestale":
        from importlib.metadata import entry_points

        (door,) = [each for each in entry_points(group="console_scripts")
                   if each.name == "pipestale"]
        start = f"import sys; from {door.module} import {door.attr}; sys.exit({door.attr}())"
        return [sys.executable, "-c", start, *argv[1:]]
    if argv[0] == "torchrun":
        return [sys.executable, "-m", "torch.distributed.run", *argv[1:]]
    raise AssertionError(f"{argv[0]}: say in tests/docs/running.py what to do with it")


def replaced(words: list[str], added: list[str]) -> list[str]:
    """A command with options put behind it; one that is there already gives way (not --set)."""
    names = [word for word in added if word.startswith("--") and word != "--set"]
    kept, skip = [], False
    for word in words:
        if skip or word in names:
            skip = word in names
            continue
        kept.append(word)
    return kept + added


def check_setting_up(words: list[str]) -> None:
    """Targets, variables and extras exist; environments are not made in a test."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if words[0] == "make":
        for word in words[1:]:
            name, given, _ = word.partition("=")
            pattern = rf"^{name} \?=" if given else rf"^{name}:"
            assert re.search(pattern, makefile, re.MULTILINE), f"the Makefile has no {name}"
    elif words[0] == "pip":
        assert words[:3] == ["pip", "install", "-e"], words
        for extra in re.findall(r"\[(.*)\]", words[3]):
            assert set(extra.split(",")) <= set(project["optional-dependencies"]), extra
    else:
        assert words in (["python3", "-m", "venv", ".venv"], [".", ".venv/bin/activate"]), words


def check_options(words: list[str]) -> None:
    """The command and each of its options are in its `--help`; a module of the tests is there."""
    if "-m" not in words:
        raise AssertionError(f"{words[0]}: say in tests/docs/running.py what to do with it")
    module, *rest = words[words.index("-m") + 1 :]
    if module not in DOORS:
        place = ROOT / module.replace(".", "/")
        known = place.with_suffix(".py").exists() or (place / "__main__.py").exists()
        assert known or module in ("pytest", "ruff", "mypy"), module
        return
    command = [rest[0]] if rest and not rest[0].startswith("-") else []
    if module == "figures" and command not in (["explore"], ["sweep"]):
        command = []
    done = subprocess.run([sys.executable, "-m", module, *command, "--help"], cwd=ROOT,
                          env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"python -m {module} {command}: {done.stderr}"
    for option in (word.partition("=")[0] for word in rest if word.startswith("--")):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", done.stdout), (module, command, option)
