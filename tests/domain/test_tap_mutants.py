"""No condition in the rules is idle: each one fixed to no (the rule looks away) or to yes must change what some case is told.

A condition is what stands in an `if`, behind `if` in a comprehension, or beside `and` and `or`.

The modules are taken apart as text, changed in one place, and run again beside the real ones; nothing of the product is patched.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import ModuleType
from typing import Any

import pytest

from tests.domain.tap_cases import CASES
from vtapweb.domain.tap_rules import destination, pair, source
from vtapweb.domain.tap_rules.rule import Finding, Rule

MODULES = (source, destination, pair)


def conditions(tree: ast.AST) -> Iterator[tuple[int, Callable[[bool], None]]]:
    """What decides in the rules and their helpers: the line, and how one fixes the answer there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp):
            yield node.lineno, partial(_fix_test, node)
        elif isinstance(node, ast.BoolOp):
            for number, part in enumerate(node.values):
                yield part.lineno, partial(_fix_part, node.values, number)
        elif isinstance(node, ast.comprehension):
            for number, part in enumerate(node.ifs):
                yield part.lineno, partial(_fix_part, node.ifs, number)


def _fix_test(node: ast.If | ast.IfExp, answer: bool) -> None:
    node.test = ast.copy_location(ast.Constant(answer), node.test)


def _fix_part(parts: list[ast.expr], number: int, answer: bool) -> None:
    parts[number] = ast.copy_location(ast.Constant(answer), parts[number])


def changed(module: ModuleType, number: int, answer: bool) -> tuple[Rule, ...]:
    """The module's rules with one condition fixed."""
    tree = ast.parse(inspect.getsource(module))
    list(conditions(tree))[number][1](answer)
    namespace: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(tree, module.__file__ or "", "exec"), namespace)  # noqa: S102 (our own source)
    rules: tuple[Rule, ...] = namespace["RULES"]
    return rules


def told(rules: tuple[Rule, ...], own: set[str]) -> Iterator[tuple[Finding, ...] | str]:
    """All that the rules of one module say in the cases of these rules, message and remedy included; an error is an answer too."""
    for case in CASES:
        if case.rule_id in own:
            try:
                yield case.scene.verdict(rules).findings
            except (ArithmeticError, AttributeError, IndexError, KeyError, NameError, TypeError, ValueError) as error:
                yield type(error).__name__


@cache
def told_by_the_real_one(module: ModuleType) -> list[tuple[Finding, ...] | str]:
    return list(told(module.RULES, {rule.id for rule in module.RULES}))


MUTANTS = [
    pytest.param(module, number, answer, id=f"{module.__name__.rpartition('.')[2]}:{line}-{number}-{answer}")
    for module in MODULES
    for number, (line, _) in enumerate(conditions(ast.parse(inspect.getsource(module))))
    for answer in (False, True)
]


@pytest.mark.parametrize(("module", "number", "answer"), MUTANTS)
def test_a_condition_that_no_longer_decides_is_seen(module: ModuleType, number: int, answer: bool) -> None:
    expected = told_by_the_real_one(module)
    mutant = told(changed(module, number, answer), {rule.id for rule in module.RULES})
    assert any(one != other for one, other in zip(mutant, expected, strict=True))
