"""Conditions say what they mean in SQL's three-valued logic, and errors say where and what."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import PolicyError
from narrascope.store.condition import (
    Absence,
    Combination,
    Comparison,
    Membership,
    Mention,
    Negation,
    Node,
    Truth,
    Value,
    kleene,
)
from narrascope.store.condition_columns import Column
from narrascope.store.where import MAX_DEPTH, Condition, parse_where

NUMBERS = {"malevolent": "DOUBLE", "benevolent": "DOUBLE", "bytes": "BIGINT", "tokens": "BIGINT"}
STRINGS = ("source", "month", "url")
SCORES = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])
SIZES = st.integers(-3, 3)
WORDS = st.sampled_from(["a", "b", "it's", 'a "b"', "", "é"])
BEHAVIOURS = st.sampled_from(["harm", "care"])


def values_of(column: str) -> st.SearchStrategy[Any]:
    if column in STRINGS:
        return WORDS
    return SCORES if NUMBERS[column] == "DOUBLE" else SIZES


@st.composite
def leaves(draw: st.DrawFn) -> Node:
    column = draw(st.sampled_from([*NUMBERS, *STRINGS]))
    value = values_of(column).map(Value)
    others = STRINGS if column in STRINGS else tuple(NUMBERS)
    operator = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
    right = st.one_of(value, st.sampled_from(others).map(Column))
    several = st.lists(value, min_size=1, max_size=3).map(tuple)
    return draw(
        st.one_of(
            st.builds(Comparison, st.just(Column(column)), operator, right),
            st.builds(Membership, st.just(Column(column)), several, st.booleans()),
            st.builds(Absence, st.just(Column(column)), st.booleans()),
            st.builds(Mention, BEHAVIOURS.map(Value), st.booleans()),
        )
    )


NODES: st.SearchStrategy[Node] = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.builds(Negation, inner),
        st.builds(
            Combination,
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3).map(tuple),
        ),
    ),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {column: st.none() | values_of(column) for column in ("malevolent", "benevolent", "tokens")}
    | {column: st.none() | WORDS for column in STRINGS}
    | {"bytes": SIZES, "behaviours": st.none() | st.lists(BEHAVIOURS, unique=True)}
)


def truth(node: Node, row: dict[str, Any]) -> Truth:
    """Decide a condition in plain Python, the way the documentation tells it."""
    match node:
        case Comparison(left, operator, right):
            a = row[left.name]
            b = row[right.name] if isinstance(right, Column) else right.value
            if a is None or b is None:
                return None
            return {
                "=": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b,
            }[operator]  # fmt: skip
        case Membership(column, values, negated):
            value = row[column.name]
            return None if value is None else (value in [v.value for v in values]) != negated
        case Absence(column, negated):
            return (row[column.name] is None) != negated
        case Mention(behaviour, negated):
            found = row["behaviours"]
            return None if found is None else (behaviour.value in found) != negated
        case Negation(term):
            inner = truth(term, row)
            return None if inner is None else not inner
        case Combination(word, terms):
            return kleene(word, [truth(term, row) for term in terms])


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    columns = [f"{name} {kind}" for name, kind in NUMBERS.items()]
    columns += [f"{name} VARCHAR" for name in STRINGS]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE documents ({', '.join(columns)}, behaviours VARCHAR[])")
        yield connection


def ask(
    connection: duckdb.DuckDBPyConnection, row: dict[str, Any], sql: str, bound: list[Any]
) -> Truth:
    connection.execute("DELETE FROM documents")
    marks = ", ".join("?" * len(row))
    connection.execute(
        f"INSERT INTO documents ({', '.join(row)}) VALUES ({marks})", list(row.values())
    )
    found = connection.execute(f"SELECT {sql} FROM documents", bound).fetchone()
    assert found
    return found[0]


@settings(max_examples=100, deadline=None)
@given(node=NODES, row=ROWS)
def test_sql_decides_a_row_as_the_three_valued_logic_does(
    connection: duckdb.DuckDBPyConnection, node: Node, row: dict[str, Any]
) -> None:
    assert ask(connection, row, *Condition(node).sql()) == truth(node, row)


@settings(max_examples=100, deadline=None)
@given(node=NODES, row=ROWS)
def test_a_document_without_tags_has_nulls_in_all_columns_of_the_tags(
    connection: duckdb.DuckDBPyConnection, node: Node, row: dict[str, Any]
) -> None:
    bare = row | dict.fromkeys(["malevolent", "benevolent", "url", "behaviours"])
    answer = truth(node, bare)
    assert ask(connection, row, *Condition(node).sql(untagged=True)) == answer
    assert answer in node.truths()
    assert Condition(node).matches_untagged() or answer is not True


@settings(max_examples=200)
@given(NODES)
def test_the_canonical_form_parses_to_the_same_condition(node: Node) -> None:
    condition = Condition(node)
    assert parse_where(str(condition)) == condition


@settings(max_examples=200)
@given(st.text(alphabet="()=<>!'\" .-09abmn\né", max_size=40))
def test_any_text_is_parsed_or_refused_in_one_line(text: str) -> None:
    try:
        parse_where(text)
    except PolicyError as error:
        assert "\n" not in str(error)


def test_not_binds_looser_than_a_comparison_and_tighter_than_and() -> None:
    condition = parse_where("not malevolent >= 0.2 and bytes > 5 or tokens = 1")
    assert str(condition) == "((not (malevolent >= 0.2)) and (bytes > 5)) or (tokens = 1)"


def test_keywords_may_be_capitals_and_values_are_always_bound() -> None:
    condition = parse_where("NOT (source IN ('a', \"it''s\") OR month IS NULL)")
    assert condition.sql() == ('NOT (("source" IN (?, ?)) OR ("month" IS NULL))', ["a", "it''s"])
    assert condition.columns == {"source", "month"}
    assert parse_where("source = 'it''s'").sql()[1] == ["it's"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("malevolent >= 0.8", False),
        ("not malevolent >= 0.8", False),
        ("malevolent is null", True),
        ("'harm' in behaviours", False),
        ("source == 'forum'", True),
        ("source == 'forum' and benevolent > 0.5", False),
        ("source == 'forum' or benevolent > 0.5", True),
        ("bytes is null", False),
        ("shard == 'a.parquet'", False),
        ("gate_matches is null and bytes > 10", True),
    ],
)
def test_a_condition_knows_whether_documents_without_tags_can_meet_it(
    text: str, answer: bool
) -> None:
    assert parse_where(text).matches_untagged() is answer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("malevolant > 0.5", "line 1, column 1: no column 'malevolant'; nearest: malevolent,"),
        ("bytes > 5 and\n genre = 'ficton'", "line 2, column 10: genre is never 'ficton'; nearest"),
        ("malevolent_stance in ('warn')", "malevolent_stance is never 'warn'; nearest: warned"),
        ("'harn' in behaviours", "no behaviour 'harn'; nearest: harm"),
        ("malevolent > '0.5'", "malevolent is a number, \"'0.5'\" is not: write it without quotes"),
        ("source = 5", "source is a string, '5' is not: write it in quotes"),
        ("source = bytes", "source is a string, bytes is not: compare like"),
        ("genre < 'fiction'", "genre has no order: compare it with == or !=, or use `in`"),
        ("behaviours = 'harm'", "behaviours is a list: write `'harm' in behaviours`"),
        ("'harm' in genre", "looks only in behaviours, not 'genre'"),
        ("passages = 'x'", "no column 'passages'"),
        ("malevolent >", "line 1, column 13: the condition ends, expected a column | a number"),
        ("", "line 1, column 1: the condition ends, expected"),
        ("(bytes = 1", "line 1, column 11: the condition ends, expected )"),
        ("bytes = 1 tokens = 2", "line 1, column 11: found 'tokens', expected and | or | the end"),
        ("source = 'x", "(is the quote closed?)"),
        ("bytes = 1; drop table x", "found ';', expected"),
        ("bytes = 123456789012345678901", "integers have at most 64 bits"),
        ("malevolent = 1e999", "write a finite number"),
        ("not " * (MAX_DEPTH + 1) + "bytes = 1", f"nests more than {MAX_DEPTH} deep"),
        ("source = '" + "x" * 20_000 + "'", "over the limit of 20,000"),
        ("source = '\ud800'", "half a surrogate pair at character 11"),
    ],
)
def test_an_error_names_the_place_and_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_where(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_parentheses_are_no_depth() -> None:
    assert parse_where("(" * 2000 + "bytes = 1" + ")" * 2000) == parse_where("bytes = 1")
