"""Normal form of context-free rules: the language stays, the promised form is reached."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgen.automata.rules import Rules, normal_form
from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language import ir
from tests.support.enumerate_language import members, solution

A, B, PLUS = ir.literal("a"), ir.literal("b"), ir.literal("+")
STAR = (0, None)


def language(rules: Rules, n_bytes: int, alphabet: str = "ab") -> frozenset[bytes]:
    return members(rules.start, n_bytes, alphabet, solution(rules.bodies, n_bytes, alphabet))


def nodes_of(rules: Rules) -> list[ir.Node]:
    return [node for body in (rules.start, *rules.bodies.values()) for node in ir.descendants(body)]


def first_calls(node: ir.Node, n_bytes: int, rules: Rules) -> set[str]:
    """The rules that a member of the node may begin with, read off its members with a mark for each rule."""
    marks = {name: bytes([200 + i]) for i, name in enumerate(rules.bodies)}
    found = members(node, n_bytes, "ab", {name: frozenset([mark]) for name, mark in marks.items()})
    return {name for name, mark in marks.items() if any(word.startswith(mark) for word in found)}


def check_form(rules: Rules) -> None:
    assert not any(isinstance(node, ir.Recursive) for node in nodes_of(rules))
    mentioned = {node.name for node in nodes_of(rules) if isinstance(node, ir.Ref)}
    assert mentioned == set(rules.bodies) == set(rules.order)
    assert len(rules.order) == len(rules.bodies)
    known = solution(rules.bodies, 3)
    place = {name: i for i, name in enumerate(rules.order)}
    for name, body in rules.bodies.items():
        assert b"" not in known[name]
        begins = first_calls(body, 2, rules)
        assert all(place[name] < place[other] for other in begins), (name, begins)


def reached(rules: Rules, name: str) -> set[str]:
    calls = {n: {x.name for x in ir.descendants(b) if isinstance(x, ir.Ref)} for n, b in rules.bodies.items()}
    found, waiting = set[str](), [name]
    while waiting:
        new = calls[waiting.pop()] - found
        found |= new
        waiting += new
    return found


NAMES = ("s", "t", "u")
LEAVES = st.sampled_from([A, B, ir.EPSILON, *map(ir.Ref, NAMES), *map(ir.Ref, NAMES), ir.word_set([b"", b"ab"])])


def larger(nodes: st.SearchStrategy[ir.Node]) -> st.SearchStrategy[ir.Node]:
    bounds = st.sampled_from([(0, 1), (0, None), (1, None), (2, 2), (0, 2), (1, 3), (2, None)])
    lists = st.lists(st.tuples(nodes, st.sampled_from("1?*+")), min_size=1, max_size=3)
    return st.one_of(
        st.lists(nodes, min_size=2, max_size=3).map(lambda parts: ir.concat(*parts)),
        st.lists(nodes, min_size=2, max_size=3).map(lambda parts: ir.union(*parts)),
        st.builds(lambda item, bound: ir.repeat(item, *bound), nodes, bounds),
        st.builds(ir.separated, nodes, lists),
    )


BODIES = st.recursive(LEAVES, larger, max_leaves=6)
SYSTEMS = st.tuples(BODIES, BODIES, BODIES).map(lambda bodies: ir.recursive("s", dict(zip(NAMES, bodies, strict=True))))


@given(SYSTEMS)
def test_the_language_stays_and_the_form_is_reached(node: ir.Node) -> None:
    rules = normal_form(node)
    assert language(rules, 5) == members(node, 5)
    check_form(rules)
    for name, body in rules.bodies.items():
        if name not in reached(rules, name):
            assert len(ir.descendants(body)) > 100


def rules_of(start: str, **bodies: ir.Node) -> Rules:
    node = ir.recursive(start, bodies)
    rules = normal_form(node)
    alphabet = "ab+*()-[]{},:ifelse"
    assert language(rules, 5, alphabet) == members(node, 5, alphabet)
    check_form(rules)
    return rules


def sequence(*parts: str | ir.Node) -> ir.Node:
    """Upper-case words are rules, other text is itself."""
    return ir.concat(*(part if isinstance(part, ir.Node) else word(part) for part in parts))


def word(text: str) -> ir.Node:
    return ir.Ref(text.lower()) if text.isupper() else ir.literal(text)


def either(*options: str | ir.Node) -> ir.Node:
    """Alternatives, each of them of parts with a space between."""
    return ir.union(*(sequence(*option.split()) if isinstance(option, str) else option for option in options))


@pytest.mark.parametrize(
    "bodies",
    [
        {"s": either("S S", "a")},
        {"s": either("S S S", "S b", "a", "")},
        {"s": either("S + S", "S * S", "- S", "a")},
        {"s": either("a S", "b S", "a")},
        {"s": either("S a", "a S", "b")},
        {"s": either("T a", "b"), "t": either("S b", "a")},
        {"s": either("a T", "b"), "t": either("b S", "a T", "+ U"), "u": either("- S", "")},
        {"s": either("N S a", "b"), "n": either("")},
        {"s": either("T", "a"), "t": either("S", "b"), "u": either("U U")},
        {"s": sequence("A", ir.repeat(either("B A"), 0, None)), "a": either("a", "b b"), "b": either("+", "-")},
    ],
)
def test_recursion_at_the_edges_is_regular(bodies: dict[str, ir.Node]) -> None:
    assert not rules_of("s", **bodies).bodies


@pytest.mark.parametrize(
    "bodies",
    [
        {"s": either("E"), "e": either("E + E", "E * E", "( E )", "a")},
        {
            "s": either("E"),
            "e": either("E + T", "E - T", "T"),
            "t": either("T * F", "F"),
            "f": either("( E )", "a", "- F"),
        },
        {"s": either("if S", "if S else S", "a")},
        {"s": either("a S b", "")},
        {"s": either("a S a", "b S b", "a", "b", "")},
        {
            "s": either("O", "L", "a"),
            "o": either("{ M }", "{ }"),
            "m": either("P", "M , P"),
            "p": either("a : S"),
            "l": either("[ I ]", "[ ]"),
            "i": either("S", "I , S"),
        },
        {"s": either("S T a", "b"), "t": either("( S )", "")},
    ],
)
def test_nesting_needs_one_rule(bodies: dict[str, ir.Node]) -> None:
    assert len(rules_of("s", **bodies).bodies) == 1


MAYBE_A = ir.optional(A)


@pytest.mark.parametrize(
    "body",
    [
        sequence(ir.repeat(ir.optional(sequence("S", "a")), 2, 2), "b"),
        sequence(ir.repeat(either("S a", "+", ""), 1, 3), "b"),
        either(ir.separated(either("S", "+"), [(MAYBE_A, "1"), (B, "?")]), "b"),
        either(ir.separated(either("S", ""), [(MAYBE_A, "1"), (sequence("S", "+"), "1")]), "b"),
        either(ir.separated(ir.optional(PLUS), [(MAYBE_A, "1"), (sequence("S", "-"), "*")]), "b"),
        either(ir.separated(either("T"), [(A, "1"), (B, "1")]), "b"),
        either(ir.separated(either("T"), [(A, "1"), (B, "?")]), "+"),
    ],
)
def test_edges_of_repeats_and_lists(body: ir.Node) -> None:
    rules_of("s", s=body, t=either("T T"))


def test_a_recursive_rule_is_not_unrolled() -> None:
    rules = rules_of("s", s=either("( S )", "a"))
    assert rules == Rules(ir.Ref("s"), {"s": either("( S )", "a")}, ("s",))


def test_a_nested_system_is_read_anew_for_other_outer_rules() -> None:
    nested = ir.recursive("n", {"n": either("( N )", "S")})
    node = ir.concat(
        ir.recursive("m", {"s": A, "m": either(nested, "+ M")}), ir.recursive("m", {"s": B, "m": either(nested, "+ M")})
    )
    assert language(normal_form(node), 6, "ab+()") == members(node, 6, "ab+()")


def test_operator_precedence_stays_linear() -> None:
    levels = {f"e{i}": either(f"E{i} {'+' * (i + 1)} E{i + 1}", f"E{i + 1}") for i in range(20)}
    rules = normal_form(ir.recursive("e0", levels | {"e20": either("( E0 )", "a")}))
    assert len(rules.bodies) == 1
    assert len(nodes_of(rules)) < 200
    shape = [node for node in nodes_of(rules) if isinstance(node, ir.Separated)]
    assert len(shape) == 20


def test_mutual_left_recursion_that_does_not_dissolve() -> None:
    n = 4
    bodies = {
        f"r{i}": ir.union(*(sequence(f"R{j}", "a" * i + "b", f"R{(i * j) % n}") for j in range(n)), word("a" * (i + 1)))
        for i in range(n)
    }
    node = ir.recursive("r0", bodies)
    rules = normal_form(node)
    assert language(rules, 6) == members(node, 6)
    check_form(rules)


def test_too_much_mutual_left_recursion_is_refused() -> None:
    n = 60
    bodies = {
        f"r{i}": ir.union(*(sequence(f"R{j}", f"{i}:{j}", f"R{i}", "b") for j in range(n)), word("a")) for i in range(n)
    }
    with pytest.raises(LimitExceeded, match="60 rules that begin with each other"):
        normal_form(ir.recursive("r0", bodies))


def test_a_regular_node_is_returned_as_it_is() -> None:
    node = ir.union(A, ir.intersect(ir.repeat(A, 1, 3), ir.complement(B)))
    assert normal_form(node) == Rules(node, {}, ())
    assert normal_form(node).start is node


def test_a_rule_with_no_way_out_is_empty() -> None:
    assert rules_of("s", s=either("S")) == Rules(ir.EMPTY, {}, ())
    assert rules_of("s", s=either("a T"), t=either("b S")) == Rules(ir.EMPTY, {}, ())
    assert rules_of("s", s=either("a", "T b"), t=either("S T")).start == A


def test_large_rules_are_written_out_only_where_they_are_used_once() -> None:
    nested = either("( N )", "a")
    large = sequence("N", *(ir.repeat(word(f"k{i}"), 0, None) for i in range(50)))
    many = ir.union(*(sequence(f"{i}", "LARGE") for i in range(20)))
    assert set(normal_form(ir.recursive("s", {"s": many, "large": large, "n": nested})).bodies) == {"large", "n"}
    once = ir.recursive("s", {"s": sequence("b", "LARGE"), "large": large, "n": nested})
    assert set(normal_form(once).bodies) == {"n"}


def test_doubling_rules_do_not_explode() -> None:
    doubling = {f"r{i}": either(f"R{i + 1} R{i + 1}") for i in range(100)} | {"r100": either("( R100 )", "a")}
    rules = normal_form(ir.recursive("r0", doubling))
    assert sum(len(ir.descendants(body)) for body in rules.bodies.values()) < 2000


def test_inner_rules_hide_outer_ones() -> None:
    inner = ir.recursive("t", {"t": either("a T b", "S"), "u": either("a")})
    hiding = ir.recursive("s", {"s": either("b S b", "+")})
    node = ir.recursive("s", {"s": ir.union(inner, hiding, sequence("(", hiding, "S", ")"), word("-"))})
    rules = normal_form(node)
    assert language(rules, 5) == members(node, 5)
    check_form(rules)


def test_a_system_used_twice_is_read_once() -> None:
    nested = ir.recursive("s", {"s": either("a S b", "+")})
    rules = normal_form(ir.concat(nested, A, nested))
    assert len(rules.bodies) == 1
    assert language(rules, 6) == members(ir.concat(nested, A, nested), 6)


def test_undefined_rules_are_named() -> None:
    with pytest.raises(InvalidLanguage, match="'t' is not defined"):
        normal_form(ir.recursive("s", {"s": either("a T")}))
    with pytest.raises(InvalidLanguage, match="'t' is not defined"):
        normal_form(ir.Ref("t"))


def test_operations_on_rules_that_are_regular() -> None:
    few = {"n": either("N a", "b"), "e": either("")}
    node = ir.recursive("s", {"s": ir.intersect(ir.Ref("n"), ir.repeat(ir.ANY_CHAR, 2, 3)), **few})
    assert members(normal_form(node).start, 5) == {b"ba", b"baa"}
    node = ir.recursive("s", {"s": sequence("x", ir.complement(sequence("N", "E"))), **few})
    assert not normal_form(node).bodies
    assert members(normal_form(node).start, 4) == members(node, 4)


@pytest.mark.parametrize(
    "body",
    [
        ir.complement(ir.Ref("n")),
        ir.intersect(ir.Ref("n"), ir.ANY_TEXT, ir.repeat(A, 1, 4)),
        ir.complement(sequence("a", "S")),
        ir.intersect(sequence("a", "S"), ir.repeat(A, 1, 4)),
    ],
)
def test_operations_on_recursive_rules_are_refused(body: ir.Node) -> None:
    with pytest.raises(UnsupportedFeature, match=r"\((~|&)\)|(~|&) of"):
        normal_form(ir.recursive("s", {"s": ir.union(body, A), "n": either("a N b", "")}))


N_RULES = 2000
FORWARD = {f"r{i}": either(f"( R{i + 1}", "a") for i in range(N_RULES)}
BACKWARD = {f"r{i}": either(f"R{i + 1} (", "a") for i in range(N_RULES)}


@pytest.mark.parametrize(
    "bodies",
    [
        FORWARD | {f"r{N_RULES}": either("a")},
        BACKWARD | {f"r{N_RULES}": either("a")},
        FORWARD | {f"r{N_RULES}": either("b R0")},
        BACKWARD | {f"r{N_RULES}": either("R0 b")},
    ],
)
def test_thousands_of_rules_in_a_row(bodies: dict[str, ir.Node]) -> None:
    began = time.perf_counter()
    rules = normal_form(ir.recursive("r0", bodies))
    assert not rules.bodies
    assert time.perf_counter() - began < 20


def test_deep_bodies() -> None:
    left = right = center = ir.Ref("s")
    for _ in range(1500):
        left, right = either(sequence(left, "a"), "b"), either(sequence("a", right), "b")
        center = either(sequence("(", center, ")"), "b")
    for body in (left, right, center):
        assert len(normal_form(ir.recursive("s", {"s": body})).bodies) == (body is center)
