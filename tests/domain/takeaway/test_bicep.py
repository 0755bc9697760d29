"""The Bicep text, read back by another's grammar of Bicep (tree-sitter-bicep)."""

import re
from collections.abc import Iterator

import tree_sitter_bicep
from hypothesis import given, settings
from tree_sitter import Language, Node, Parser

from tests.domain.takeaway.plans import TAP, create, hostile_plans, mirror, plan, retag, unmirror
from vtapweb.domain.plain_text import storable
from vtapweb.domain.takeaway import SYNTAX_ONLY, TakeawayPlan, takeaway

PARSER = Parser(Language(tree_sitter_bicep.language()))
ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}|\\(.)", re.DOTALL)
SIGNS = {"n": "\n", "r": "\r", "t": "\t"}


def tree_of(text: str) -> Node:
    root = PARSER.parse(text.encode()).root_node
    assert not root.has_error, text
    return root


def nodes(node: Node, kind: str) -> Iterator[Node]:
    if node.type == kind:
        yield node
    for child in node.children:
        yield from nodes(child, kind)


def text_of(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def value_of(node: Node) -> str:
    """What a single-quoted string says, by the language's own table of escapes."""
    assert not list(nodes(node, "interpolation")), "a name must never be run as an expression"
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else SIGNS.get(found[2], found[2]), text_of(node)[1:-1])


def strings(text: str) -> list[str]:
    return [value_of(node) for node in nodes(tree_of(text), "string")]


def symbols(text: str) -> list[str]:
    found = [next(nodes(node, "identifier")) for node in nodes(tree_of(text), "resource_declaration")]
    return [text_of(one) for one in found]


def test_a_mirror_is_a_child_of_a_nic_that_exists() -> None:
    text = takeaway(plan(mirror()), "bicep")
    assert symbols(text) == ["nic1", "mirror1"]
    assert "  parent: nic1\n  name: 'vtapweb'\n" in text
    assert TAP in strings(text)
    assert SYNTAX_ONLY in text


def test_waves_keep_their_order_by_depends_on() -> None:
    text = takeaway(plan(mirror("a"), mirror("b", wave=2), mirror("c", wave=2), mirror("d", wave=3)), "bicep")
    assert re.findall(r"dependsOn: \[\n([^\]]*)\]", text) == ["    mirror1\n  "] * 2 + ["    mirror2\n    mirror3\n  "]
    assert "Bicep cannot rest between waves" in text


def test_each_resource_group_is_a_file_of_its_own_in_the_plans_order() -> None:
    steps = [mirror("a", group="rg-1"), mirror("b", group="rg-2", wave=2), mirror("c", group="RG-1", wave=2), mirror("d", group="rg-2", wave=2)]
    text = takeaway(plan(*steps), "bicep")
    assert re.findall(r"^// ---- File (\d) of 3: (\S+)", text, re.MULTILINE) == [("1", "plan-1.bicep"), ("2", "plan-2.bicep"), ("3", "plan-3.bicep")]
    assert [line for line in text.splitlines() if line.startswith("  name: '") and len(line) == len("  name: 'a'")] == [
        f"  name: '{one}'" for one in "abdc"
    ]
    assert len(set(symbols(text))) == 8, "no symbol twice in the whole text"


def test_what_bicep_cannot_say_stays_in_as_a_comment() -> None:
    text = takeaway(plan(unmirror("nic-gone"), mirror()), "bicep")
    assert "// Not possible in Bicep, do it by hand at this place: DELETE /subscriptions/" in text
    assert symbols(text) == ["nic2", "mirror2"]


def test_a_tap_and_its_tags() -> None:
    text = takeaway(plan(create({"owner": "noc", "cost centre": "a'b${c}"}), retag({"true": "1"})), "bicep")
    assert symbols(text) == ["tap1", "tap2", "tags2"]
    assert {"a'b${c}", "cost centre", "true", "uksouth", "default"} <= set(strings(text))


@settings(max_examples=150, deadline=None)
@given(hostile=hostile_plans())
def test_hostile_names_stay_one_string_each(hostile: TakeawayPlan) -> None:
    text = takeaway(hostile, "bicep")
    found = strings(text)
    path = storable(hostile.steps[1].path)
    assert {path.rsplit("/", 1)[1], path.split("/")[-3]} <= set(found)
    assert sum(1 for _ in nodes(tree_of(text), "resource_declaration")) == 5
