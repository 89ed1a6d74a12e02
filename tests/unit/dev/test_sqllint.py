"""The lint over SQL: what depends on search_path is found, wherever it stands in the sources."""

from pathlib import Path

import pytest

from dev import sqllint


@pytest.mark.parametrize(
    "statement",
    [
        "select quote_ident(d.datname) from pg_catalog.pg_database d",
        "select public.f(1)",
        "select d.oid from pg_database d",
        "select 1 from pg_catalog.pg_class c, pg_namespace n",
        "select 1 from pg_catalog.pg_class c join pg_namespace n on true",
        "select 1 from lateral unnest($1) u",
        "select a.x = 1 from pg_catalog.pg_authid a",
        "select a.x operator(public.=) 1 from pg_catalog.pg_authid a",
        "select a.x || 'b' from pg_catalog.pg_authid a",
        "select a.x is distinct from a.y from pg_catalog.pg_authid a",
        "select 1 where $1 in ('a', 'b')",
        "select 1 where $1 like 'a%'",
        "select 1 where $1 between 1 and 2",
        "select case $1 when 1 then 2 end",
        "select nullif($1, 'a')",
        "select 1 from pg_catalog.pg_class c join pg_catalog.pg_type t using (oid)",
        "select 1 from pg_catalog.pg_class c natural join pg_catalog.pg_type t",
        "select '1'::int4",
        "select $1::public.int4",
        "select r.lsn::pg_catalog.text from pg_catalog.pg_locks r",
        "select cast($1 as pg_catalog.text)",
        "select interval '1 day'",
        "select lsn '0/0'",
        "select d.datname collate c from pg_catalog.pg_database d",
        "select extract(epoch from $1)",
        "update pg_subscription set subenabled = false",
        "delete from t",
        "insert into t values (1)",
        "alter role x password lower('a')",
        "select 1 from pg_catalog.pg_class c where exists (select from pg_depend d)",
        "with x as (select now()) select 1 from x",
    ],
)
def test_b_what_depends_on_the_search_path_is_rejected(statement: str) -> None:
    """Functions, operators, relations, types, casts and collations without their schema."""
    assert sqllint.problems(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "checkpoint",
        'alter role "?" login replication password "?"',
        "select pg_catalog.count(*), coalesce($1, 'a'), d.* from pg_catalog.pg_database d",
        "select case when r then 1 else -1 end from pg_catalog.pg_is_in_recovery() r",
        "select 1 where $1 operator(pg_catalog.=) any ('{a}'::pg_catalog.text[])",
        "select d.datname from pg_catalog.pg_database d order by d.datname desc limit 1",
        "update pg_catalog.pg_subscription s set subenabled = false where s.subenabled",
        "select 1 from pg_catalog.pg_class c cross join lateral (select c.oid) s",
    ],
)
def test_what_is_qualified_is_accepted(statement: str) -> None:
    """As walsup writes it."""
    assert sqllint.problems(statement) == []


@pytest.mark.parametrize(
    "source",
    [
        'TEXT = "select now()"',
        'TEXT = "SELECT\\n now()"',
        'async def f(sql):\n    await sql.row("show x; select now()")',
        'TEXT = "now()"\nasync def f(sql):\n    await sql.rows("select " + TEXT)',
        'async def f(sql, name):\n    await sql.row(f"alter role {name} login")',
        'async def f(sql, name):\n    await sql.row("alter role " + name)',
        'async def f(sql, name):\n    await sql.row("alter role %s" % name)',
        'async def f(sql, name):\n    await sql.row("alter role {}".format(name))',
        "async def f(sql, other):\n    await sql.row(other.STATEMENT)",
        'async def f(world):\n    async for _ in ask_all(world, "select now()"):\n        pass',
        'import asyncpg\nasync def f(c):\n    await c.execute("select now()")',
        'X = "checkpoint"\nX = "select now()"\nasync def f(sql):\n    await sql.row(X)',
        'async def f(sql):\n    text = "select 1"\n    text += " from t"\n    await sql.row(text)',
        'TEXT = f"create database {name}"',
        'TEXT = "set search_path to evil"',
    ],
)
def test_b_a_statement_is_found_wherever_it_stands(tmp_path: Path, source: str) -> None:
    """As an argument, as a constant, put together, in a module that does not exist yet."""
    (tmp_path / "new.py").write_text(source + "\n")
    assert sqllint.findings(tmp_path)


def test_b_sql_in_a_script_is_found(tmp_path: Path) -> None:
    """A shell puts it together where nobody can look."""
    (tmp_path / "new.bash").write_text("psql -c 'select now()'\n")
    assert sqllint.findings(tmp_path)


def test_b_every_statement_of_walsup_is_qualified() -> None:
    """All of them are found, and none depends on search_path."""
    found = [each for each in sqllint.statements() if isinstance(each, sqllint.Statement)]
    assert len({each.text for each in found}) > 15
    assert sqllint.findings() == []
