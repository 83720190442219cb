"""What a public name looks like: its signature, fields, members and docstrings, from the source."""

import ast
import enum
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

PACKAGE: Final = "multiwhats_async"
WIDTH: Final = 88
"""Characters of a line of a signature."""

Scope = Mapping[str, Any]
"""The names of a module, with what they stand for."""


def class_tree(kind: type) -> ast.ClassDef:
    """Return the source of a class, parsed."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    return node


def signature(function: Any, name: str, *, bound: bool, word: str | None = None) -> str:
    """Return how a function is called, as it is written in its source.

    Args:
        function: The function.
        name: What to call it.
        bound: Whether its first argument is the object that it belongs to.
        word: What stands before the name; None is what stands in the source. Of a class, which
            returns itself, "".
    """
    node = _function_tree(function)
    called = node.args
    if bound:
        (called.posonlyargs or called.args).pop(0)
    arguments = _arguments(called, function.__globals__)
    end = ")"
    if word is None:
        word = "async def " if isinstance(node, ast.AsyncFunctionDef) else "def "
        end = f") -> {ast.unparse(node.returns)}" if node.returns else ")"
    line = f"{word}{name}({', '.join(arguments)}{end}"
    if len(line) <= WIDTH:
        return line
    return f"{word}{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + end


def returned(function: Any) -> str:
    """Return what a function returns, as it is written."""
    node = _function_tree(function)
    return ast.unparse(node.returns) if node.returns else "None"


def _function_tree(function: Any) -> ast.FunctionDef | ast.AsyncFunctionDef:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return node


def _arguments(called: ast.arguments, scope: Scope) -> list[str]:
    """Return the arguments, each as it is written."""
    told: list[str] = []
    before = [*called.posonlyargs, *called.args]
    defaults = [None] * (len(before) - len(called.defaults)) + list(called.defaults)
    for place, (argument, default) in enumerate(zip(before, defaults, strict=True), 1):
        told.append(_argument(argument, default, scope))
        if place == len(called.posonlyargs):
            told.append("/")
    if called.vararg:
        told.append("*" + ast.unparse(called.vararg))
    elif called.kwonlyargs:
        told.append("*")
    for argument, default in zip(called.kwonlyargs, called.kw_defaults, strict=True):
        told.append(_argument(argument, default, scope))
    if called.kwarg:
        told.append("**" + ast.unparse(called.kwarg))
    return told


def _argument(argument: ast.arg, default: ast.expr | None, scope: Scope) -> str:
    if default is None:
        return ast.unparse(argument)
    equals = " = " if argument.annotation else "="
    return f"{ast.unparse(argument)}{equals}{_value(default, scope)}"


def _value(default: ast.expr, scope: Scope) -> str:
    """Return a default as it is written, but for the name of a number: that says nothing."""
    if isinstance(default, ast.Name) and isinstance(scope.get(default.id), int | float | str):
        return repr(scope[default.id])
    return ast.unparse(default)


def fields(kind: type) -> Iterator[str]:
    """Yield the public fields that a class declares, as they are written, without attrs' marks."""
    for base in _own_kinds(kind):
        scope = vars(sys.modules[base.__module__])
        for node in class_tree(base).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name = node.target.id
                if not name.startswith("_"):
                    default = _default(node.value, scope)
                    yield f"{name}: {ast.unparse(node.annotation)}" + (
                        f" = {default}" if default else ""
                    )


def _default(value: ast.expr | None, scope: Scope) -> str | None:
    """Return the default of a field, which may stand within ``attrs.field(default=…)``."""
    if value is None:
        return None
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "attrs.field"):
        return _value(value, scope)
    given = {keyword.arg: keyword.value for keyword in value.keywords}
    if "default" in given:
        return _value(given["default"], scope)
    return "…" if "factory" in given else None


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public functions and properties of a class, those of private bases as well."""
    seen: set[str] = set()
    for base in reversed(_own_kinds(kind)):
        for name, value in vars(base).items():
            is_told = inspect.isfunction(value) or isinstance(
                value, property | classmethod | staticmethod
            )
            if is_told and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, value


def _own_kinds(kind: type) -> list[type]:
    """Return a class and its bases of this package, the farthest first."""
    bases = [base for base in kind.__mro__ if base.__module__.startswith(PACKAGE)]
    if issubclass(kind, BaseException):  # the tree of errors is told on a page of its own
        bases = bases[:1]
    return bases[::-1]


def assigned(module: Any, name: str) -> tuple[str, str]:
    """Return the assignment of a constant or an alias of types, and the text behind it."""
    source = inspect.getsource(module)
    body = ast.parse(source).body
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            text = inspect.cleandoc(str(following.value.value)) if is_text else ""  # type: ignore[attr-defined]  # is_text says so
            return ast.get_source_segment(source, node) or "", text
    raise LookupError(f"{module.__name__} assigns no {name}")


def values(kind: type[enum.Enum]) -> Iterator[tuple[str, object, str]]:
    """Yield the members of an enumeration, their values and the texts behind them."""
    body = class_tree(kind).body
    texts = {
        node.targets[0].id: str(following.value.value)  # type: ignore[attr-defined]  # a name, a constant
        for node, following in zip(body, [*body[1:], ast.Pass()], strict=True)
        if isinstance(node, ast.Assign)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    }
    for member in kind:
        yield member.name, member.value, " ".join(texts.get(member.name, "").split())
