"""The same answer as different people would write it down, for made-up classes.

Nothing here changes what an answer does, so that what was graded for one holds for all.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import random
from collections.abc import Mapping, Sequence

#: What people call their variables.
VOCABULARY = (
    *(
        "result",
        "res",
        "out",
        "answer",
        "ans",
        "total",
        "acc",
        "found",
        "items",
        "data",
        "current",
        "cur",
        "tmp",
        "temp",
    ),
    *("value", "val", "elem", "entry", "piece", "part", "chunk", "left", "right", "first", "second", "best", "top"),
    *("new", "old", "kept", "seen", "known", "done", "rest", "head", "tail", "pos", "idx", "num", "count_", "size_"),
    *("table", "mapping", "lookup", "groups", "bag", "pool", "line_", "text_", "word_", "letter", "symbol", "token_"),
    *("natija", "javob", "hisob", "raqam", "harf", "kalima", "satr", "juft", "qism", "khato", "nom", "soni", "joy"),
    *("itog", "otvet", "spisok", "slovo", "bukva", "chislo", "stroka", "para", "chast", "nomer", "ves", "shag"),
)
#: Remarks that people leave in their code; the same place in the three tuples means the same.
REMARKS = {
    "en": (
        *("start with nothing", "go over everything", "this is the result", "check this first", "one after the other"),
        *("keep what we need", "see the lecture", "careful here", "not sure about this", "works on my examples"),
    ),
    "tg": (
        *("аз ҳеҷ чиз оғоз мекунем", "ҳамаро мегузарем", "ин натиҷа аст", "аввал инро месанҷем", "яке паси дигар"),
        *(
            "он чи лозим аст, мемонад",
            "ба лексия нигаред",
            "ин ҷо эҳтиёт",
            "дилпур нестам",
            "бо мисолҳои ман кор мекунад",
        ),
    ),
    "ru": (
        *("начинаем с пустого", "проходим по всем", "это результат", "сначала проверим это", "один за другим"),
        *("оставляем нужное", "см. лекцию", "здесь осторожно", "не уверен", "на моих примерах работает"),
    ),
}


def own_hand(source: str, rng: random.Random, language: str) -> str:
    """`source` as somebody else would write it: other names, other ways to say the same, remarks of their own.

    Args:
        source: Python code.
        rng: decides everything.
        language: of the remarks.
    """
    tree = ast.parse(source)
    tree = ast.fix_missing_locations(_Habits(rng).visit(tree))
    tree = ast.parse(_with_leftovers(ast.unparse(tree), rng))
    names = local_names(tree)
    free = _unused(tree, rng)
    renamed = rename(ast.unparse(tree), {old: new for old, new in zip(names, free, strict=False) if rng.random() < 0.8})
    return with_remarks(renamed, REMARKS[language], rng)


def copied_with_other_names(source: str, rng: random.Random) -> str:
    """`source` as somebody hands in what is not theirs: every local name replaced, nothing else."""
    tree = ast.parse(source)
    return rename(source, dict(zip(local_names(tree), _unused(tree, rng), strict=False)))


def with_other_remarks(source: str, language: str) -> str:
    """`source` with every remark of `REMARKS` in `language`."""
    for remarks in REMARKS.values():
        for ours, theirs in zip(remarks, REMARKS[language], strict=True):
            source = source.replace(f"# {ours}\n", f"# {theirs}\n")
    return source


def rename(source: str, names: Mapping[str, str]) -> str:
    """`source` with local names replaced; its remarks stay."""
    lines = source.split("\n")
    places = [
        (node.lineno, node.col_offset, node.id)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and node.id in names
    ]
    for line, offset, name in sorted(places, reverse=True):
        text = lines[line - 1].encode()
        changed = text[:offset] + names[name].encode() + text[offset + len(name.encode()) :]
        lines[line - 1] = changed.decode()
    return "\n".join(lines)


def local_names(tree: ast.AST) -> list[str]:
    """Names of variables that functions in `tree` make for themselves, and that mean nothing outside, in order."""
    fixed = {name for node in ast.walk(tree) for name in _fixed(node)} | {*dir(builtins), *keyword.kwlist}
    for statement in getattr(tree, "body", ()):  # what the cell defines, others use
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            fixed |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        for inner in ast.walk(statement):
            if isinstance(inner, ast.ClassDef):
                fixed |= {node.id for part in inner.body for node in _names_of_fields(part)}
    # names in format strings stand at places that Python 3.11 does not tell
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            fixed |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    stored = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return [name for name in dict.fromkeys(stored) if name not in fixed and name != "_"]


def with_remarks(source: str, remarks: Sequence[str], rng: random.Random) -> str:
    """`source` with some of `remarks` above statements in its functions."""
    lines = source.split("\n")
    places = sorted(
        {
            statement.lineno
            for function in ast.walk(ast.parse(source))
            if isinstance(function, ast.FunctionDef)
            for statement in function.body
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        }
    )
    for line in reversed(places):
        if rng.random() < 0.3:
            text = lines[line - 1]
            indent = text[: len(text) - len(text.lstrip())]
            lines.insert(line - 1, f"{indent}# {rng.choice(list(remarks))}")
    return "\n".join(lines)


def _with_leftovers(source: str, rng: random.Random) -> str:
    """`source` with what people leave in their functions from trying things out: it is computed and never used."""
    lines = source.split("\n")
    places = [
        (statement.lineno, statement.col_offset)
        for function in ast.parse(source).body
        if isinstance(function, ast.FunctionDef)
        for statement in function.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    for number, (line, indent) in enumerate(reversed(places)):
        if rng.random() < 0.35:
            lines.insert(line - 1, f"{' ' * indent}trial{number} = {_leftover(rng, 2)}")
    return "\n".join(lines)


def _leftover(rng: random.Random, depth: int) -> str:
    """An expression of plain numbers."""
    if depth == 0 or rng.random() < 0.15:
        return str(rng.randint(1, 9))
    inner = [_leftover(rng, depth - 1) for _ in range(3)]
    forms = ("max({0}, {1})", "min({0}, {1}, {2})", "{0} + {1}", "{0} * {1} - {2}", "sum([{0}, {1}, {2}])", "abs({0})")
    more = ("len([{0}, {1}])", "[{0}, {1}][-1]", "int({0} > {1})", "sorted([{0}, {1}, {2}])[0]", "round({0} / 3)")
    last = ("len(str({0}))", "({0}, {1})[1]", "{{{0}: {1}}}.get({2}, 0)", "len(range({0})) % 7")
    return rng.choice([*forms, *more, *last]).format(*inner)


def _names_of_fields(statement: ast.stmt) -> list[ast.Name]:
    """The names that a statement of a class body binds itself."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return []
    return [node for node in ast.walk(statement) if isinstance(node, ast.Name)]


def _fixed(node: ast.AST) -> list[str]:
    match node:
        case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name) if name:
            return [name]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names
        case ast.alias(name=name, asname=other):
            return [other or name.split(".")[0]]
    return []


def _unused(tree: ast.AST, rng: random.Random) -> list[str]:
    used = _all_names(tree)
    return [name for name in rng.sample(VOCABULARY, len(VOCABULARY)) if name not in used]


def _all_names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        name for node in ast.walk(tree) for name in _fixed(node)
    }


class _Habits(ast.NodeTransformer):
    """One person's way to write what can be written in several ways; the same places always come out the same."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.turns_comparisons = rng.random() < 0.3
        self.names_results = rng.random() < 0.5
        self.writes_loops = rng.random() < 0.5
        self.takes_apart = rng.random() < 0.5
        self.else_after_return = rng.random() < 0.3
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return f"step{self.count}"

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body = self._block(node.body)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        turned = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
        plain = len(node.ops) == 1 and all(
            isinstance(side, ast.Name | ast.Constant) for side in (node.left, *node.comparators)
        )
        if self.turns_comparisons and plain and type(node.ops[0]) in turned:
            other = turned[type(node.ops[0])]()
            return ast.Compare(left=node.comparators[0], ops=[other], comparators=[node.left])
        return node

    def _block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """The statements of a function's own body, rewritten by habit."""
        done: list[ast.stmt] = []
        for number, statement in enumerate(statements):
            rest = statements[number + 1 :]
            if (
                self.else_after_return
                and isinstance(statement, ast.If)
                and not statement.orelse
                and rest
                and isinstance(statement.body[-1], ast.Return)
            ):
                statement.orelse = self._block(rest)
                return [*done, statement]
            done += self._statement(statement)
        return done

    def _statement(self, statement: ast.stmt) -> list[ast.stmt]:
        match statement:
            case ast.Return(value=ast.ListComp() as value) if self.writes_loops and self._is_plain(value):
                name = self.fresh()
                return [*self._loop(name, value), ast.Return(ast.Name(name, ast.Load()))]
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp() as value) if (
                self.writes_loops and self._is_plain(value) and name not in _names_in(value)
            ):
                return self._loop(name, value)
            case ast.Return(value=ast.Call(func=ast.Name(), args=[ast.Call() as first, *others]) as call) if (
                self.takes_apart
            ):
                name = self.fresh()
                call.args = [ast.Name(name, ast.Load()), *others]
                return [ast.Assign([ast.Name(name, ast.Store())], first), ast.Return(call)]
            case ast.Return(value=ast.expr() as value) if self.names_results and not isinstance(
                value, ast.Name | ast.Constant
            ):
                name = self.fresh()
                return [ast.Assign([ast.Name(name, ast.Store())], value), ast.Return(ast.Name(name, ast.Load()))]
        return [statement]

    @staticmethod
    def _is_plain(value: ast.ListComp) -> bool:
        """Whether a loop does the same: nothing in it looks at the variable later, or at that of another place."""
        bound = _names_in(value.generators[0].target)
        return (
            len(value.generators) == 1
            and not any(
                isinstance(node, ast.Lambda | ast.GeneratorExp | ast.ListComp | ast.NamedExpr) and node is not value
                for node in ast.walk(value)
            )
            and not bound & _names_in(value.generators[0].iter)
        )

    @staticmethod
    def _loop(name: str, value: ast.ListComp) -> list[ast.stmt]:
        generator = value.generators[0]
        append = ast.Attribute(ast.Name(name, ast.Load()), "append", ast.Load())
        body: list[ast.stmt] = [ast.Expr(ast.Call(append, [value.elt], []))]
        for condition in reversed(generator.ifs):
            body = [ast.If(condition, body, [])]
        empty = ast.Assign([ast.Name(name, ast.Store())], ast.List([], ast.Load()))
        return [empty, ast.For(generator.target, generator.iter, body, [])]


def _names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
