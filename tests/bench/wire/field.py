"""What is open while a benchmark runs: contenders, each made once, and their labs."""

import contextlib
import pathlib
import sys
import tempfile

from .bed import Bed


class Field:
    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._root = pathlib.Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix="nfsteer-bench-")))
            self._stack = stack.pop_all()
        self._contenders = {}
        return self

    def __exit__(self, *raised):
        return self._stack.__exit__(*raised)

    def directory(self, name):
        made = self._root / name
        made.mkdir()
        return made

    def bed(self):
        return self._stack.enter_context(contextlib.closing(Bed()))

    def contender(self, cls):
        if cls not in self._contenders:
            made = cls(self.directory(cls.name))
            self._contenders[cls] = self._stack.enter_context(contextlib.closing(made))
        return self._contenders[cls]

    @staticmethod
    def note(said):
        print(said, file=sys.stderr, flush=True)
