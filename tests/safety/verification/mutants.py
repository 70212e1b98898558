"""Small mistakes in a module, one at a time: each mutant is its code with one place changed."""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift,
}  # fmt: skip
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
BODY = "<module>"


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """One change: the module and function it is in, the line, what stood there and what stands now.

    `function` is the qualified name, or `<module>`. `key` says the same in one line, and stays the
    same when lines move. `tree` is the whole module as it is, `old` a node of it and `new` what
    stands there instead.
    """

    module: str
    function: str
    line: int
    key: str
    tree: ast.Module
    old: ast.AST
    new: ast.AST

    def code(self) -> CodeType:
        """Return the code of the changed function, or of the module."""
        memo: dict[int, object] = {id(self.old): self.new}
        changed = ast.fix_missing_locations(copy.deepcopy(self.tree, memo))
        compiled = compile(changed, f"<mutant of {self.module}>", "exec")
        return compiled if self.function == BODY else find(compiled, self.function)


def find(code: CodeType, name: str) -> CodeType:
    """Return the code with a qualified name; raise `LookupError` where there is none."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_qualname == name:
                return each
            if name.startswith(f"{each.co_qualname}."):
                return find(each, name)
    raise LookupError(name)


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of one file, in the order of its text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found, seen = [], Counter[str]()
    for function, node in places(tree):
        for new in replacements(node):
            key = f"{path.stem}.{function}: `{short(node)}` → `{short(new)}`"
            seen[key] += 1
            key += f" ({seen[key]})" if seen[key] > 1 else ""
            found.append(Mutant(path.stem, function, node.lineno, key, tree, node, new))
    return found


def places(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield each node that may change, with the function it is in; no class bodies, no types."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield from inside(statement, statement.name)
        elif isinstance(statement, ast.ClassDef):
            for each in statement.body:
                if isinstance(each, ast.FunctionDef):
                    yield from inside(each, f"{statement.name}.{each.name}")
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            if isinstance(statement.value, ast.Subscript):  # a type
                continue
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Constant | ast.Tuple | ast.BinOp):
                    yield BODY, node


def inside(function: ast.FunctionDef, name: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield what a function runs, without its signature and docstring."""
    for statement in function.body:
        skipped: set[int] = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.AnnAssign):
                skipped |= {id(each) for each in ast.walk(node.annotation)}
            if isinstance(node, ast.keyword) and node.arg == "strict":  # says what is so of lengths
                skipped.add(id(node.value))
            if isinstance(node, ast.JoinedStr | ast.Raise):  # sentences; a raise may still go
                skipped |= {id(each) for each in ast.walk(node)} - {id(node)}
            if id(node) not in skipped:
                yield name, node


def short(node: ast.AST) -> str:
    """Return a node as one line of code."""
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= 90 else f"{text[:87]}..."


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand instead of a node."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if new := COMPARISONS.get(type(operator)):
                yield edited(node, ops=[*node.ops[:place], new(), *node.ops[place + 1 :]])
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        if new := ARITHMETIC.get(type(node.op)):
            yield edited(node, op=new())
    elif isinstance(node, ast.BoolOp):
        yield edited(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for place in range(len(node.values)):
            rest = node.values[:place] + node.values[place + 1 :]
            yield edited(node, values=rest) if len(rest) > 1 else rest[0]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield edited(node, value=not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield edited(node, value=node.value + 1)
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 2:
        for place in range(len(node.elts)):
            yield edited(node, elts=node.elts[:place] + node.elts[place + 1 :])
    elif isinstance(node, ast.If | ast.IfExp) and not isinstance(
        node.test, ast.Compare | ast.BoolOp | ast.UnaryOp
    ):
        yield edited(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Raise | ast.Continue | ast.Delete) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.YieldFrom)
    ):
        yield ast.Pass()
    elif isinstance(node, ast.Call):
        yield from other_calls(node)


def other_calls(node: ast.Call) -> Iterator[ast.AST]:
    """Yield a call of the opposite function, or a `replace` that replaces less."""
    name = node.func.id if isinstance(node.func, ast.Name) else None
    if name in CALLS:
        yield edited(node, func=ast.Name(CALLS[name], ast.Load()))
    if name == "replace":
        for keyword in node.keywords:
            yield edited(node, keywords=[each for each in node.keywords if each is not keyword])


def edited(node: ast.AST, **fields: object) -> ast.AST:
    """Return a copy of a node with some of its fields changed."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new
