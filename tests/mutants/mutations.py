"""The small changes that a test suite should notice.

cosmic-ray 8.7 and mutmut 3.8 were tried first. Neither forces a condition, returns None, removes a
statement or cuts a slice, both change type annotations and log messages, and both start a fresh
process for the tests of a mutant, which costs 5 to 12 seconds where TensorFlow is imported.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_SWAPS = """
    Lt LtE, Lt GtE, LtE Lt, LtE Gt, Gt GtE, Gt LtE, GtE Gt, GtE Lt, Eq NotEq, NotEq Eq,
    Is IsNot, IsNot Is, In NotIn, NotIn In, And Or, Or And,
    Add Sub, Sub Add, Mult Div, Div Mult, FloorDiv Mult, Mod Mult, Pow Mult, MatMult Mult,
    BitAnd BitOr, BitOr BitAnd, LShift RShift, RShift LShift
"""
_SWAPPED = [[getattr(ast, name) for name in pair.split()] for pair in _SWAPS.split(",")]
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_REMOVED = {  # Elements of these lists are dropped one at a time.
    (ast.Call, "args"),
    (ast.Call, "keywords"),
    (ast.ClassDef, "keywords"),
    (ast.BoolOp, "values"),
    (ast.comprehension, "ifs"),
    (ast.ClassDef, "decorator_list"),
    (ast.FunctionDef, "decorator_list"),
}
_ANNOTATIONS = {"annotation", "returns"}
# Texts for people, and arguments that matter only when other code is wrong.
_KEYWORDS = {"description", "encoding", "frozen", "help", "strict", "use_attribute_docstrings"}
_LOGGING = re.compile(r"(_?log(ger|ging)?|warnings)\.")


class Edit(NamedTuple):
    """A change of a syntax tree: a field of a node, and the field's new value."""

    node: ast.AST
    field: str
    value: Any
    line: int
    change: str


def edits(tree: ast.Module) -> list[Edit]:
    """Returns the mutants of a module.

    Docstrings, type annotations, logging, and texts of two words or more stay as they are.

    Args:
        tree: Syntax tree of the module.

    Returns:
        One edit for each mutant, in the order of the lines.
    """
    return list(_edits(tree, 1))


def mutate(tree: ast.Module, edit: Edit) -> str:
    """Returns the source of one mutant.

    Args:
        tree: Syntax tree of the module, which is left as it was.
        edit: One of its edits.

    Returns:
        Python without comments.
    """
    kept = getattr(edit.node, edit.field)
    setattr(edit.node, edit.field, edit.value)
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    finally:
        setattr(edit.node, edit.field, kept)


def _edits(node: ast.AST, line: int) -> Iterator[Edit]:
    for field, value in ast.iter_fields(node):
        if field in _ANNOTATIONS:
            continue
        children = value if isinstance(value, list) else [value]
        for i, child in enumerate(children):
            if not isinstance(child, ast.AST) or _stays(child):
                continue
            at = getattr(child, "lineno", line)
            before = _shown(child)
            for new in _instead(child):
                put = [*children[:i], new, *children[i + 1 :]] if value is children else new
                yield Edit(node, field, put, at, f"{before} → {_shown(new)}")
            if (type(node), field) in _REMOVED:
                yield Edit(
                    node, field, [*children[:i], *children[i + 1 :]], at, f"{before} dropped"
                )
            if not isinstance(child, ast.Raise):
                yield from _edits(child, at)


def _stays(node: ast.AST) -> bool:
    match node:
        case ast.Expr(ast.Constant()) | ast.Assign([ast.Name("__all__")]):
            return True
        case ast.Expr(ast.Call(func=called)):
            return bool(_LOGGING.match(ast.unparse(called)))
        case ast.keyword(arg=name):
            return name in _KEYWORDS
        case ast.If(ast.Name("TYPE_CHECKING") | ast.Compare(left=ast.Name("__name__"))):
            return True
    return False


def _instead(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left, [operator, *rest], right):
            yield from (ast.Compare(left, [other, *rest], right) for other in _swapped(operator))
        case ast.BoolOp(operator, values):
            yield from (ast.BoolOp(other, values) for other in _swapped(operator))
        case ast.BinOp(left, operator, right):
            yield from (ast.BinOp(left, other, right) for other in _swapped(operator))
        case ast.AugAssign(target, operator, value):
            yield ast.Assign([target], value)
            yield from (ast.AugAssign(target, other, value) for other in _swapped(operator))
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as number):
            yield ast.Constant(number + 1)
            yield ast.Constant(number - 1)
        case ast.Constant(str() | bytes() as text) if len(text.split()) < 2:
            yield ast.Constant(type(text)() if text else "mutant")
        case ast.Name(name) if name in _FUNCTIONS:
            yield ast.Name(_FUNCTIONS[name])
        case ast.Return(ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Expr() | ast.Raise() | ast.Delete() | ast.Break() | ast.Continue():
            yield ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.AnnAssign(target, annotation, value, simple) if value is not None:
            yield ast.AnnAssign(target, annotation, None, simple)
        case ast.If(_, body, orelse):
            yield from (ast.If(ast.Constant(forced), body, orelse) for forced in (True, False))
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.For(target, _, body, orelse):
            yield ast.For(target, ast.Tuple([]), body, orelse)
        case ast.Slice(lower, upper, step):
            bounds = (None, upper, step), (lower, None, step), (lower, upper, None)
            yield from (ast.Slice(*cut) for cut in bounds if cut != (lower, upper, step))


def _swapped(operator: ast.AST) -> list[Any]:
    return [new() for old, new in _SWAPPED if isinstance(operator, old)]


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.If):
        return f"if {_shown(node.test)}"
    try:
        return " ".join(ast.unparse(node).split())[:80]
    except Exception:
        return type(node).__name__
