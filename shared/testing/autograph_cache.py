"""AutoGraph's conversions of a forked process, made again in the process that it came from.

Half of the processor time of a short training is AutoGraph, which rewrites the source of every
function that a data set or a `tf.function` calls, anew in each process. A server that forks
rewrites what its first children needed, so that the later ones find it done.

Uses private parts of TensorFlow; without them nothing is lost but time.
"""

import gc
import pickle
import types
from collections.abc import Iterator

from tensorflow.python.autograph.core import converter
from tensorflow.python.autograph.impl import api


class AutographCache:
    """The functions of this project, by the addresses that forked processes share.

    Args:
        packages: names of the packages whose functions are looked after.
    """

    def __init__(self, packages: tuple[str, ...]):
        self._functions: dict[int, tuple[types.CodeType, dict]] = {}
        for function in gc.get_objects():
            if not isinstance(function, types.FunctionType):
                continue
            if (function.__module__ or "").partition(".")[0] in packages:
                for code in _with_inner(function.__code__):
                    self._functions[id(code)] = (code, function.__globals__)

    def converted(self) -> bytes:
        """In a child: what has been converted there."""
        found = [
            (id(code), options.as_tuple())
            for code, converted in list(api._TRANSPILER._cache._cache.items())
            for options in converted
            if id(code) in self._functions
        ]
        return pickle.dumps(found)

    def convert(self, message: bytes) -> None:
        """In the server: converts what `converted` told, unless that is done already."""
        for address, (recursive, requested, internal, features) in pickle.loads(message):
            code, namespace = self._functions[address]
            cells = tuple(types.CellType() for _ in code.co_freevars)
            function = types.FunctionType(code, namespace, code.co_name, None, cells)
            options = converter.ConversionOptions(recursive, requested, internal, features)
            api._TRANSPILER.transform(function, converter.ProgramContext(options))


def _with_inner(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of the functions that are defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _with_inner(constant)
