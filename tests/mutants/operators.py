"""Small wrong changes to a module, one at a time: what a test should notice."""

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

SWAPPED: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
"""A boundary moved by one, a sign turned, a condition turned round."""

NAMES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}

TOLD: Final = frozenset({"logger", "_log", "warnings"})
"""What is written for a person is read by a person: its words are not changed."""

Change = Callable[[ast.AST], ast.AST]
Step = tuple[str, int | None]
Block = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(NamedTuple):
    """One changed module.

    Attributes:
        name: ``where: before -> after``, with a number where the same change occurs again. It
            holds no line number, so that an explanation outlives the lines above it.
        line: The line.
        tree: The changed module.
    """

    name: str
    line: int
    tree: ast.Module


def mutants_of(source: str) -> Iterator[Mutant]:
    """Yield a module with each of the changes, in the order of its lines."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    for path, node, where in _walk(tree, (), "module"):
        for change in _changes(node):
            changed = copy.deepcopy(tree)
            before, after = _short(node), _short(_replace(changed, path, change))
            name = f"{where}: {before} -> {after}"
            seen[name] += 1
            if seen[name] > 1:
                name += f" #{seen[name]}"
            yield Mutant(name, getattr(node, "lineno", 0), ast.fix_missing_locations(changed))


def _walk(
    node: ast.AST, path: tuple[Step, ...], where: str
) -> Iterator[tuple[tuple[Step, ...], ast.AST, str]]:
    """Yield what may be changed, with the way to it; annotations and texts for people may not."""
    yield path, node, where
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        for position, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_told(node, child):
                continue
            step = (name, position if isinstance(value, list) else None)
            inner = where
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                inner = child.name if where == "module" else f"{where}.{child.name}"
            yield from _walk(child, (*path, step), inner)


def _is_told(parent: ast.AST, child: ast.AST) -> bool:
    """Tell whether a part is a text for people: a docstring, an error, a line of a log, a type."""
    if isinstance(parent, ast.Call) and ast.unparse(parent.func) == "TypeVar":
        return True
    if isinstance(child, ast.JoinedStr):
        return True
    if isinstance(child, ast.Expr):
        value = child.value.value if isinstance(child.value, ast.Await) else child.value
        if isinstance(value, ast.Constant):
            return True
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            return isinstance(value.func.value, ast.Name) and value.func.value.id in TOLD
    return isinstance(parent, ast.Raise)


def _replace(tree: ast.Module, path: tuple[Step, ...], change: Change) -> ast.AST:
    """Change the part of a tree that a path leads to; return what stands there now."""
    parent: ast.AST = tree
    for name, position in path[:-1]:
        value = getattr(parent, name)
        parent = value if position is None else value[position]
    name, position = path[-1]
    value = getattr(parent, name)
    if position is None:
        setattr(parent, name, change(value))
        after: ast.AST = getattr(parent, name)
    else:
        value[position] = after = change(value[position])
    return after


def _changes(node: ast.AST) -> Iterator[Change]:
    """Yield the changes of one part."""
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPPED:
        yield _with("op", SWAPPED[type(node.op)]())
    if isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            ops = list(node.ops)
            ops[position] = SWAPPED[type(operator)]()  # type: ignore[call-overload]  # one of them
            yield _with("ops", ops)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield _with("test", _negated(node.test))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield lambda found: found.operand  # type: ignore[attr-defined]  # it is an UnaryOp
    if isinstance(node, ast.Constant):
        yield from _constants(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
        yield _with("func", ast.Name(NAMES[node.func.id], ast.Load()))
    if isinstance(node, ast.stmt):
        yield from _statements(node)


def _statements(node: ast.stmt) -> Iterator[Change]:
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield _with("value", ast.Constant(None))
    if isinstance(node, ast.Break | ast.Continue):
        yield lambda found: ast.Continue() if isinstance(found, ast.Break) else ast.Break()
    if _can_go(node):
        yield lambda _: ast.Pass()


def _constants(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield _with("value", not value)
    elif isinstance(value, int | float):
        yield _with("value", value + 1)
    elif isinstance(value, str | bytes) and len(value.split()) <= 1:  # a sentence is for people
        yield _with("value", value + ("X" if isinstance(value, str) else b"X"))  # type: ignore[operator]  # alike


def _can_go(node: ast.AST) -> bool:
    """Tell whether a statement can be left out, and not only be missed as a name."""
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Attribute) and node.value is not None
    return isinstance(node, ast.Expr | ast.AugAssign | ast.Delete | ast.Raise)


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _with(name: str, value: object) -> Change:
    def change(node: ast.AST) -> ast.AST:
        setattr(node, name, value)
        return node

    return change


def _short(node: ast.AST) -> str:
    """Return a part on one line; of a compound statement its first."""
    return ast.unparse(node).strip().splitlines()[0]
