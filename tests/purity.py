"""Reads a module of the core and names everything in it that could make two runs differ.

Holds: works on the syntax tree alone, so nothing is imported or run. A rule is a function from a
`Module` to its offences; `RULES` is the list of them.
Never: proves purity. It knows the types that a module writes down, not those that it infers: a set
that arrives unannotated from elsewhere is not seen. What it does see, it has no exception for, but
one: a set that is only asked `in`, on a line marked `# membership only`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

MARK: Final = "# membership only"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FIRST_PARTY: Final = ("exchange", "settlement", "margin", "matching")

# What a deterministic module may stand on. A name that is missing here is missing for a reason: it
# reads a clock, a file, a socket, the environment or a random number, or it computes in float.
PURE_IMPORTS: Final = frozenset(
    {
        "__future__",
        "abc",
        "array",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "math",  # PURE_MATH only
        "operator",
        "re",
        "struct",
        "types",
        "typing",
        "zlib",
        "coincurve",
        "librt.vecs",
        "librt.strings",
        "msgspec",
        "mypy_extensions",
        "numpy",  # but FLOAT_NUMPY, RANDOM_NUMPY and FILE_NUMPY
        "scipy.sparse",  # keeps the integers that it is given
        "sha3",
        "sortedcontainers",
    }
)
PURE_MATH: Final = frozenset({"comb", "factorial", "gcd", "isqrt", "lcm", "perm", "prod"})

FLOAT_NUMPY: Final = words(
    "average cbrt complex64 complex128 corrcoef cos cov divide double e exp expm1 float16 float32 "
    "float64 float128 floating geomspace half histogram inexact inf interp linalg linspace log "
    "log10 log1p log2 logspace longdouble mean median nan percentile pi polyfit quantile "
    "reciprocal sin single sqrt std tan true_divide var"
)
RANDOM_NUMPY: Final = frozenset({"random"})
FILE_NUMPY: Final = words(
    "fromfile genfromtxt load loadtxt memmap save savetxt savez savez_compressed"
)
# numpy makes these of float64 unless told otherwise; the number is where the dtype stands.
FLOAT_BY_DEFAULT: Final = {"empty": 1, "frombuffer": 1, "identity": 1, "ones": 1, "zeros": 1}
FLOAT_METHODS: Final = frozenset({"mean", "std", "var"})
FLOAT_DTYPE: Final = re.compile(r"[<>=|]?(f[248]|c8|c16|float\d*|double|single|half|complex\d*)")
STRUCT_CALLS: Final = frozenset(
    {"Struct", "calcsize", "iter_unpack", "pack", "pack_into", "unpack", "unpack_from"}
)

# Order among equals differs between processors (numpy picks the algorithm by instruction set).
UNSTABLE_SORTS: Final = frozenset({"argsort", "argpartition"})

FORBIDDEN_BUILTINS: Final = {
    "float": "float",
    "complex": "float",
    "open": "input or output",
    "print": "input or output",
    "input": "input or output",
    "breakpoint": "input or output",
    "hash": "a value that differs from process to process",
    "id": "a value that differs from process to process",
    "eval": "code that cannot be read here",
    "exec": "code that cannot be read here",
    "__import__": "code that cannot be read here",
    "globals": "module state",
}

SET_TYPES: Final = frozenset({"set", "frozenset", "Set", "MutableSet", "AbstractSet", "FrozenSet"})
# Calls whose result depends on the order in which their argument is iterated.
ORDER_TAKERS: Final = words(
    "dict enumerate filter fromkeys iter join list map next reduce reversed tuple zip"
)
MUTABLE_CALLS: Final = words(
    "Counter OrderedDict SortedDict SortedList bytearray defaultdict deque dict list"
)
MUTATORS: Final = words(
    "add append appendleft clear discard extend insert pop popitem popleft remove reverse "
    "setdefault sort update"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Offence(NamedTuple):
    """What stands on which line against which rule."""

    line: int
    rule: str
    what: str


class Module:
    """A module's tree with what the rules ask of it: parents, scopes, marks, names of numpy."""

    def __init__(self, source: str, name: str, core: frozenset[str]) -> None:
        self.name = name
        self.core = core
        self.lines = source.splitlines()
        self.tree = ast.parse(source)
        self.nodes = list(ast.walk(self.tree))
        self.parent = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def numpy_names(self) -> frozenset[str]:
        return frozenset(
            alias.asname or alias.name
            for node in self.nodes
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == "numpy"
        )

    @cached_property
    def docstrings(self) -> frozenset[ast.AST]:
        return frozenset(
            node.value
            for node in self.nodes
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )

    @cached_property
    def set_names(self) -> frozenset[str]:
        """Names and attributes that this module binds or annotates as a set."""
        names: list[str | None] = []
        for node in self.nodes:
            if isinstance(node, ast.arg) and is_set_type(node.annotation):
                names.append(node.arg)
            elif isinstance(node, ast.AnnAssign):
                if is_set_type(node.annotation) or is_set(node.value):
                    names.append(identifier(node.target))
            elif isinstance(node, ast.Assign) and is_set(node.value):
                names.extend(identifier(target) for target in node.targets)
        return frozenset(name for name in names if name is not None)

    @cached_property
    def module_names(self) -> frozenset[str]:
        """What is bound on the module's own level by assignment."""
        targets = [t for n in self.tree.body if isinstance(n, ast.Assign) for t in n.targets]
        targets += [n.target for n in self.tree.body if isinstance(n, ast.AnnAssign)]
        return frozenset(name for name in map(identifier, targets) if name is not None)

    def is_marked(self, node: ast.AST) -> bool:
        first, last = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
        return any(MARK in line for line in self.lines[first - 1 : last])

    def functions_around(self, node: ast.AST) -> Iterator[Function]:
        while node in self.parent:
            node = self.parent[node]
            if isinstance(node, Function):
                yield node

    def is_local(self, name: ast.Name) -> bool:
        """Whether a function around the name binds it itself: then it is not the builtin's."""
        return any(name.id in bound_names(f) for f in self.functions_around(name))


def check(source: str, name: str, core: frozenset[str]) -> list[Offence]:
    """Every offence in the source of module `name`; `core` are the modules that it may import."""
    module = Module(source, name, core)
    return sorted({offence for rule in RULES for offence in rule(module)})


def core_modules(root: Path, patterns: tuple[str, ...], beyond: tuple[str, ...]) -> dict[str, Path]:
    """Dotted name and file of everything that matches a pattern and lies in no folder `beyond`."""
    found: dict[str, Path] = {}
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            relative = path.relative_to(root)
            if not any(relative.match(outside) for outside in beyond):
                parts = relative.with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


# RULES


def imports_only_what_is_pure(module: Module) -> Iterator[Offence]:
    for node in module.nodes:
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(module, node)
            # `from settlement import records` may name a module or a thing inside one.
            wanted = [
                f"{base}.{a.name}" if f"{base}.{a.name}" in module.core else base
                for a in node.names
            ]
        else:
            continue
        for name in wanted:
            if not may_import(name, module.core):
                yield Offence(node.lineno, "import", f"{name} is not on the list of pure modules")


def may_import(name: str, core: frozenset[str]) -> bool:
    parts = name.split(".")
    if parts[0] in FIRST_PARTY:
        return name in core
    return any(".".join(parts[:n]) in PURE_IMPORTS for n in range(1, len(parts) + 1))


def has_no_float(module: Module) -> Iterator[Offence]:
    for node in module.nodes:
        match node:
            case ast.Constant(value=float() | complex()):
                yield Offence(node.lineno, "float", f"the literal {node.value!r}")
            case ast.Constant(value=str() as text) if node not in module.docstrings:
                if FLOAT_DTYPE.fullmatch(text):
                    yield Offence(node.lineno, "float", f"the dtype {text!r}")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield Offence(node.lineno, "float", "true division: use // and name its rounding")
            case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
                yield Offence(node.lineno, "float", "a negative power")
            case ast.Call(func=func, args=[ast.Constant(value=str() as layout), *_]):
                if identifier(func) in STRUCT_CALLS and set(layout) & set("efd"):
                    yield Offence(node.lineno, "float", f"the struct layout {layout!r}")
            case ast.ImportFrom(module="math", names=names):
                for alias in names:
                    if alias.name not in PURE_MATH:
                        yield Offence(node.lineno, "float", f"math.{alias.name}")
            case ast.Attribute(value=ast.Name(id="math"), attr=attr) if attr not in PURE_MATH:
                yield Offence(node.lineno, "float", f"math.{attr}")
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in FLOAT_METHODS:
                yield Offence(node.lineno, "float", f".{attr}()")
            case _:
                pass


def keeps_numpy_whole(module: Module) -> Iterator[Offence]:
    for node, name in numpy_uses(module):
        if name in FLOAT_NUMPY:
            yield Offence(node.lineno, "float", f"numpy.{name}")
        if name in RANDOM_NUMPY:
            yield Offence(node.lineno, "random", f"numpy.{name}")
        if name in FILE_NUMPY:
            yield Offence(node.lineno, "input or output", f"numpy.{name}")
        call = module.parent.get(node)
        if name in FLOAT_BY_DEFAULT and isinstance(call, ast.Call) and call.func is node:
            told = len(call.args) > FLOAT_BY_DEFAULT[name] or has_keyword(call, "dtype")
            if not told:
                yield Offence(node.lineno, "float", f"numpy.{name} without a dtype makes float64")


def sorts_stably(module: Module) -> Iterator[Offence]:
    for node in module.nodes:
        if isinstance(node, ast.Call) and identifier(node.func) in UNSTABLE_SORTS:
            kinds = [k.value for k in node.keywords if k.arg in ("kind", "stable")]
            if not any(isinstance(k, ast.Constant) and k.value in ("stable", True) for k in kinds):
                what = f'{identifier(node.func)} without kind="stable"'
                yield Offence(node.lineno, "order", what)


def calls_no_forbidden_builtin(module: Module) -> Iterator[Offence]:
    for node in module.nodes:
        if not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
            continue
        if node.id not in FORBIDDEN_BUILTINS or module.is_local(node):
            continue
        within = [f.name for f in module.functions_around(node) if not isinstance(f, ast.Lambda)]
        if node.id == "hash" and "__hash__" in within:
            continue
        yield Offence(node.lineno, FORBIDDEN_BUILTINS[node.id], f"the builtin {node.id}")


def is_not_asynchronous(module: Module) -> Iterator[Offence]:
    for node in module.nodes:
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield Offence(node.lineno, "input or output", "the core does not wait")


def has_no_unmarked_set(module: Module) -> Iterator[Offence]:
    for node in module.nodes:
        match node:
            case ast.Set() | ast.SetComp():
                what = "a set display"
            case ast.Name(id=name, ctx=ast.Load()) if name in SET_TYPES:
                if module.is_local(node):
                    continue
                what = name
            case ast.BinOp(
                op=ast.BitAnd() | ast.BitOr() | ast.BitXor() | ast.Sub(), left=left, right=right
            ) if is_view(left) or is_view(right):
                what = "a set made of a dict's keys or items"
            case _:
                continue
        if not module.is_marked(statement_of(module, node)):
            yield Offence(node.lineno, "set", f"{what}; use a dict, or mark the line `{MARK}`")


def iterates_no_set(module: Module) -> Iterator[Offence]:
    """Also where the set is marked: `in` is all that a mark allows. `sorted` gives it an order."""

    def is_known(node: ast.AST | None) -> bool:
        return is_set(node) or (node is not None and identifier(node) in module.set_names)

    for node in module.nodes:
        match node:
            case ast.For(iter=source) | ast.comprehension(iter=source) if is_known(source):
                line, how = source.lineno, "iterated"
            case ast.Starred(value=source) | ast.YieldFrom(value=source) if is_known(source):
                line, how = node.lineno, "unpacked"
            case ast.Call(func=func, args=args) if identifier(func) in ORDER_TAKERS:
                if not any(is_known(arg) for arg in args):
                    continue
                line, how = node.lineno, f"given to {identifier(func)}"
            case ast.Call(func=ast.Attribute(value=source, attr="pop"), args=[]) if is_known(
                source
            ):
                line, how = node.lineno, "popped"
            case _:
                continue
        yield Offence(line, "set", f"a set {how}: its order differs from process to process")


def keeps_no_module_state(module: Module) -> Iterator[Offence]:
    for node in module.nodes:
        match node:
            case ast.Global():
                yield Offence(node.lineno, "module state", f"global {', '.join(node.names)}")
            case ast.Assign(targets=targets, value=value) if is_mutable(value):
                names = [identifier(target) for target in targets]
                if is_on_top(module, node) and "__all__" not in names and "__slots__" not in names:
                    yield Offence(node.lineno, "module state", f"{names[0]} is not Final")
            case ast.AnnAssign(annotation=annotation, value=value) if is_mutable(value):
                if is_on_top(module, node) and not names_type(annotation, "Final", "ClassVar"):
                    what = f"{identifier(node.target)} is not Final"
                    yield Offence(node.lineno, "module state", what)
            case ast.Name(id=name) if name in module.module_names and is_changed(module, node):
                yield Offence(node.lineno, "module state", f"{name} is changed in a function")
            case _:
                pass


RULES: Final[tuple[Callable[[Module], Iterator[Offence]], ...]] = (
    imports_only_what_is_pure,
    has_no_float,
    keeps_numpy_whole,
    sorts_stably,
    calls_no_forbidden_builtin,
    is_not_asynchronous,
    has_no_unmarked_set,
    iterates_no_set,
    keeps_no_module_state,
)


# READING THE TREE


def identifier(node: ast.AST | None) -> str | None:
    """The last name of `a`, `x.a` and `x.y.a`; of `f(...)` none."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return None


def absolute_base(module: Module, node: ast.ImportFrom) -> str:
    """`from ..a import b` inside x.y.z is from x.a; the file of a package counts as its folder."""
    if node.level == 0:
        return node.module or ""
    above = module.name.split(".")[: -node.level]
    return ".".join([*above, *([node.module] if node.module else [])])


def numpy_uses(module: Module) -> Iterator[tuple[ast.Attribute | ast.ImportFrom, str]]:
    for node in module.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in module.numpy_names:
                yield node, attr
            case ast.ImportFrom(module=str() as base, names=names) if base.split(".")[0] == "numpy":
                for part in [*base.split(".")[1:], *(alias.name for alias in names)]:
                    yield node, part
            case _:
                pass


def has_keyword(call: ast.Call, name: str) -> bool:
    return any(keyword.arg == name for keyword in call.keywords)


def bound_names(function: Function) -> frozenset[str]:
    """Parameters of a function and what it assigns."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    stored = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and not is_load(n)]
    return frozenset([a.arg for a in named] + stored)


def is_load(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def names_type(annotation: ast.AST | None, *types: str) -> bool:
    return annotation is not None and any(identifier(n) in types for n in ast.walk(annotation))


def is_set_type(annotation: ast.AST | None) -> bool:
    """`set[int]`, `frozenset[int] | None`, `Final[set[int]]`; not `dict[int, set[int]]`."""
    match annotation:
        case ast.Name() | ast.Attribute():
            return identifier(annotation) in SET_TYPES
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return is_set_type(left) or is_set_type(right)
        case ast.Subscript(value=value, slice=inner):
            is_wrapper = identifier(value) in ("Final", "ClassVar", "Optional", "Annotated")
            return is_set_type(value) or (is_wrapper and is_set_type(inner))
        case _:
            return False


def is_set(node: ast.AST | None) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=func):
            return identifier(func) in ("set", "frozenset")
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.BitXor() | ast.Sub()):
            return any(is_set(side) or is_view(side) for side in (node.left, node.right))
        case _:
            return False


def is_view(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="keys" | "items"), args=[]):
            return True
        case _:
            return False


def is_mutable(node: ast.AST | None) -> bool:
    match node:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=func):
            return identifier(func) in MUTABLE_CALLS or identifier(func) == "set"
        case _:
            return False


def is_on_top(module: Module, node: ast.AST) -> bool:
    """On the module's or a class body's own level, where one value is shared by all."""
    return isinstance(module.parent[node], ast.Module | ast.ClassDef)


def is_changed(module: Module, name: ast.Name) -> bool:
    """Whether a function stores into what a module-level name holds, or calls what changes it."""
    if not any(True for _ in module.functions_around(name)) or module.is_local(name):
        return False
    above = module.parent[name]
    match above:
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store()):
            return above.value is name
        case ast.Attribute(attr=attr) if attr in MUTATORS:
            call = module.parent[above]
            return isinstance(call, ast.Call) and call.func is above
        case _:
            return False


def statement_of(module: Module, node: ast.AST) -> ast.AST:
    """The statement that holds an expression; where that has a body, the expression alone."""
    while not isinstance(node, ast.stmt | ast.arg):
        above = module.parent[node]
        if isinstance(above, Function | ast.ClassDef | ast.For | ast.While | ast.If | ast.With):
            break
        node = above
    return node
