//! The `postgres` verbs on real servers: what they read, what they cannot change, and how they fail.

use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Result, ensure};
use bailiwick_core::model::Answer;
use bailiwick_core::model::{Database, Literal, Statement, Tainted, Verb, VerbError, Wire};
use bailiwick_core::verbs::{Tier, action};
use bailiwick_sandbox::parse;
use bailiwick_tests::postgres::{Cluster, me};
use bailiwick_transport::{RunError, local};

/// Asks as a sweep does, on this machine, and reads the answer as a worker does.
async fn ask(verb: Verb, literal: Literal) -> Result<Result<String, VerbError>> {
    Ok(read(verb, raw(verb, literal).await?))
}

async fn raw(verb: Verb, literal: Literal) -> Result<Result<Answer, VerbError>> {
    match local::run(&action(verb, Some(literal), Tier::Local)).await {
        Ok(answer) => Ok(Ok(answer)),
        Err(RunError::TooLarge(_)) => Ok(Err(VerbError::TooLarge)),
        Err(error) => Err(error.into()),
    }
}

fn read(verb: Verb, answer: Result<Answer, VerbError>) -> Result<String, VerbError> {
    answer.and_then(|answer| parse(verb, &answer)).map(|text: Tainted| text.for_encoder().to_owned())
}

fn database(cluster: &Cluster, name: &str) -> Result<Database> {
    Ok(Database::new(&format!("{name}:{}", cluster.port()))?)
}

async fn on(cluster: &Cluster, verb: Verb, name: &str) -> Result<Result<String, VerbError>> {
    ask(verb, Literal::Database(database(cluster, name)?)).await
}

async fn query(cluster: &Cluster, sql: &str) -> Result<Result<String, VerbError>> {
    let statement = Statement::new("test", database(cluster, "postgres")?, sql)?;
    ask(Verb::PostgresQuery, Literal::Statement(Arc::new(statement))).await
}

/// A server on which this account has the role that an operator should give it.
fn monitored(config: &str) -> Result<Cluster> {
    let cluster = Cluster::start(config)?;
    cluster.admin("postgres", &format!("create role {} login in role pg_monitor", me()?))?;
    Ok(cluster)
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn every_verb_reads_a_real_server() -> Result<()> {
    let cluster = monitored("")?;
    cluster.admin("postgres", "create database \"od\"\"d,\n name\"")?;
    let databases = on(&cluster, Verb::PostgresDatabases, "postgres").await?.unwrap();
    ensure!(databases.contains(r#"name: "od\"d,\n name""#) && databases.contains("template: true"), "{databases}");
    let mut idle = cluster.client("a client, \"quoted\"\n", "postgres", "begin;")?;
    idle.say("select 1;")?;
    cluster.until("postgres", "select count(*) from pg_stat_activity where state = 'idle in transaction'", "1")?;
    let activity = on(&cluster, Verb::PostgresActivity, "postgres").await?.unwrap();
    ensure!(activity.contains("connections-max: 100, reserved: 3, connections: 2"), "{activity}");
    ensure!(activity.contains(r#"application: "a client, \"quoted\"?", state: "idle in transaction""#), "{activity}");
    let settings = on(&cluster, Verb::PostgresSettings, "postgres").await?.unwrap();
    ensure!(settings.contains(r#"name: "fsync", value: "off""#) && settings.contains("server_version"), "{settings}");
    ensure!(!settings.contains("primary_conninfo") && !settings.contains("archive_command"), "{settings}");
    let replication = on(&cluster, Verb::PostgresReplication, "postgres").await?.unwrap();
    ensure!(replication.contains("role: Role::Primary") && replication.contains("standbys: []"), "{replication}");
    assert_eq!(on(&cluster, Verb::PostgresLocks, "postgres").await?.unwrap(), "[]");
    let table = query(
        &cluster,
        "select 1 as n, null::int as nothing, 't' as t, true as b, 1e20::float8 as f, '' as e, 'NaN'::numeric as x, \
        'a\n\"b\",' as q, '␀' as s -- a comment at the end",
    )
    .await;
    // The comment does not swallow the semicolon.
    insta::assert_snapshot!(table?.unwrap());
    for (sql, read) in [("show server_encoding", "UTF8"), ("values (1)", "Number(1.0)"), ("explain select 1", "Result")]
    {
        let answer = query(&cluster, sql).await?.unwrap();
        ensure!(answer.contains(read), "{answer}");
    }
    ensure!(query(&cluster, "select 1 as a where false").await?.unwrap().contains("rows: []"));
    Ok(())
}

/// Statements that would change something, run something or end a session.
const CHANGES: &[&str] = &[
    "create table made (a int)",
    "create role made",
    "insert into kept values (2)",
    "with gone as (delete from kept returning a) select a from gone",
    "select nextval('counter')",
    "select setval('counter', 99)",
    "set transaction read write",
    "commit",
    "commit and chain",
    "rollback",
    "end",
    "set default_transaction_read_only = off",
    "select set_config('transaction_read_only', 'off', false), nextval('counter')",
    "explain analyze insert into kept values (3)",
    "prepare made as insert into kept values (4)",
    "do $$begin execute 'insert into kept values (5)' : end$$",
    "do $$begin insert into kept values (5)end$$",
    "call writes()",
    "select writer()",
    "alter system set work_mem = '1GB'",
    "vacuum",
    "lock table kept in access exclusive mode",
    "select pg_terminate_backend(VICTIM)",
    "select pg_reload_conf()",
    "select lo_import('/etc/hostname')",
    "select lo_export(4711, 'DIR/exported')",
    "select pg_read_file('/etc/hostname')",
    "copy kept from program 'touch DIR/from-program'",
    "copy (select 1) to program 'touch DIR/to-program'",
    "copy (select 1) to 'DIR/to-file'",
    "copy (select 1) to stdout",
    "select dblink_exec('host=DIR port=PORT user=admin dbname=postgres', 'insert into kept values (6)')",
];

/// The result of a bare `psql`: `done`, or the SQLSTATE that stopped it.
fn bare(cluster: &Cluster, user: &str, options: &str, before: &str, sql: &str) -> Result<String> {
    let mut child = cluster
        .psql(user, "postgres")
        .env("PGOPTIONS", options)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), format!("{before}\n{sql}\n;\n").as_bytes())?;
    let done = child.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
    Ok(match stderr.lines().find_map(|line| line.split_once("ERROR:  ")) {
        Some((_, rest)) => rest.get(..5).unwrap_or_default().to_owned(),
        None if done.status.success() => "done".to_owned(),
        None => stderr,
    })
}

/// Everything that the statements try to change.
fn state(cluster: &Cluster) -> Result<String> {
    let mut files: Vec<_> = std::fs::read_dir(cluster.dir())?.map(|entry| entry.unwrap().file_name()).collect();
    files.retain(|name| !name.to_string_lossy().starts_with("client"));
    files.sort();
    let inside = cluster.admin(
        "postgres",
        "select (select array_agg(a order by a) from kept), (select last_value from counter), (select count(*) from pg_class), \
         (select count(*) from pg_roles), (select count(*) from pg_largeobject_metadata), \
         (select count(*) from pg_stat_activity where application_name = 'victim'), (select count(*) from pg_file_settings)",
    )?;
    Ok(format!("{inside} {files:?}"))
}

fn prepared() -> Result<Cluster> {
    let cluster = Cluster::start("")?;
    let me = me()?;
    for sql in [
        "create table kept (a int)",
        "insert into kept values (1)",
        "create sequence counter",
        "create function writer() returns int language sql security definer begin atomic insert into kept values (7) returning a; end",
        "create procedure writes() language plpgsql as $$begin commit; set transaction read write; insert into kept values (8); end$$",
        "create extension if not exists dblink",
        &format!("create role {me} login in role pg_monitor"),
    ] {
        // Debian ships dblink with the server; elsewhere its row reports that the function does not exist.
        if let Err(error) = cluster.admin("postgres", sql) {
            ensure!(sql.contains("dblink"), "{sql}: {error}");
        }
    }
    Ok(cluster)
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn nothing_is_changed_by_three_bars() -> Result<()> {
    let cluster = prepared()?;
    let me = me()?;
    let _victim = cluster.client("victim", "postgres", "select 1;")?;
    cluster.until("postgres", "select count(*) from pg_stat_activity where application_name = 'victim'", "1")?;
    let victim = cluster.admin("postgres", "select pid from pg_stat_activity where application_name = 'victim'")?;
    let (dir, port) = (cluster.dir().display().to_string(), cluster.port().to_string());
    let mut table = String::from("role      session   transaction  the verb       statement\n");
    for statement in CHANGES {
        let sql = statement.replace("VICTIM", &victim).replace("DIR", &dir).replace("PORT", &port);
        // Each bar by itself: the role's rights without the others; then the others for a role that has those rights, where
        // what would go around them is left out.
        let role = bare(&cluster, &me, "", "", &sql)?;
        let around = [
            "pg_",
            "copy",
            "lo_",
            "dblink",
            "alter system",
            "create role",
            "default_transaction",
            "commit",
            "end",
            "rollback",
        ];
        let alone = |options: &str, before: &str| -> Result<String> {
            if around.iter().any(|word| statement.contains(word))
                || statement.starts_with("set")
                || statement.contains("call")
            {
                return Ok("-".to_owned());
            }
            bare(&cluster, "admin", options, before, &sql)
        };
        let session = alone("-cdefault_transaction_read_only=on", "")?;
        let transaction = alone("", "begin read only;")?;
        // A role alone does not bar a function that runs with its owner's rights and that every role may call.
        cluster.admin("postgres", "truncate kept")?;
        cluster.admin("postgres", "insert into kept values (1)")?;
        let before = state(&cluster)?;
        let verb = match Statement::new("test", database(&cluster, "postgres")?, &sql) {
            Err(_) => "unsayable".to_owned(),
            Ok(statement) => {
                let literal = Literal::Statement(Arc::new(statement));
                ask(Verb::PostgresQuery, literal)
                    .await?
                    .map_or_else(|error| format!("{error:?}"), |_| "answered".to_owned())
            }
        };
        writeln!(table, "{role:<9} {session:<9} {transaction:<12} {verb:<14} {statement}")?;
        assert_eq!(state(&cluster)?, before, "{statement}");
    }
    insta::assert_snapshot!(table);
    Ok(())
}

/// As SECURITY.md says about a role with too many rights: a read-only transaction restricts tables, not functions.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_read_only_transaction_does_not_bind_a_superuser() -> Result<()> {
    let cluster = prepared()?;
    cluster.admin("postgres", &format!("alter role {} superuser", me()?))?;
    let (dir, port) = (cluster.dir().display().to_string(), cluster.port().to_string());
    let tables = "select array_agg(a) from kept";
    let mut changes = String::new();
    for statement in CHANGES {
        if statement.contains("VICTIM") || statement.contains("reload") {
            continue;
        }
        let sql = statement.replace("DIR", &dir).replace("PORT", &port);
        let Ok(literal) = Statement::new("test", database(&cluster, "postgres")?, &sql) else { continue };
        let files = || std::fs::read_dir(&dir).map(Iterator::count);
        let (rows, files_before) = (cluster.admin("postgres", tables)?, files()?);
        let verb = ask(Verb::PostgresQuery, Literal::Statement(Arc::new(literal))).await?;
        let changed = [
            (cluster.admin("postgres", tables)? != rows).then_some("table changed"),
            (files()? != files_before).then_some("file written"),
            (cluster.admin("postgres", "select count(*) from pg_largeobject_metadata")? != "0")
                .then_some("large object"),
        ];
        let changed: Vec<_> = changed.into_iter().flatten().collect();
        let verb = verb.map_or_else(|error| format!("{error:?}"), |_| "answered".to_owned());
        writeln!(changes, "{:<14} {:<14} {statement}", changed.join(", "), verb)?;
    }
    insta::assert_snapshot!(changes);
    Ok(())
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn failures_say_what_they_are() -> Result<()> {
    let cluster = Cluster::start("max_connections = 5\nsuperuser_reserved_connections = 3")?;
    let me = me()?;
    use VerbError::{NotFound, NotPermitted, TimedOut, TooLarge, Unreachable, Unsupported};
    let activity = Verb::PostgresActivity;
    assert_eq!(on(&cluster, activity, "postgres").await?, Err(NotPermitted), "no such role");
    cluster.admin("postgres", &format!("create role {me} nologin"))?;
    assert_eq!(on(&cluster, activity, "postgres").await?, Err(NotPermitted), "may not log in");
    cluster.admin("postgres", &format!("alter role {me} login"))?;
    cluster.admin("postgres", "create table hidden (a int)")?;
    assert_eq!(on(&cluster, activity, "nope").await?, Err(NotFound), "no such database");
    let no_server = Literal::Database(Database::new("postgres:19999")?);
    assert_eq!(ask(activity, no_server).await?, Err(NotFound), "no server");
    // A part is not accepted as the whole.
    for verb in [activity, Verb::PostgresLocks, Verb::PostgresReplication] {
        assert_eq!(on(&cluster, verb, "postgres").await?, Err(NotPermitted), "{verb} without pg_monitor");
    }
    cluster.admin("postgres", "create database closed")?;
    cluster.admin("postgres", "revoke connect on database closed from public")?;
    let sizes = on(&cluster, Verb::PostgresDatabases, "postgres").await?.unwrap();
    ensure!(
        sizes.contains(r#"name: "closed", bytes: None"#) && sizes.contains(r#"name: "postgres", bytes: Some("#),
        "{sizes}"
    );
    assert_eq!(on(&cluster, Verb::PostgresDatabases, "closed").await?, Err(NotPermitted), "may not connect");
    for (sql, error) in [
        ("select * from hidden", NotPermitted),
        ("select * from nowhere", NotFound),
        ("select nowhere()", NotFound),
        ("selec 1", Unsupported),
        ("select pg_sleep(11)", TimedOut),
        ("select repeat('x', 300000)", TooLarge),
        ("select generate_series(1, 1001)", TooLarge),
    ] {
        assert_eq!(query(&cluster, sql).await?, Err(error), "{sql}");
    }
    // Full, but for superusers.
    cluster.admin("postgres", "create role guest login")?;
    let mut guests = Vec::new();
    for _ in 0..2 {
        let mut guest = cluster.psql("admin", "postgres");
        guest.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        guests.push(guest.spawn()?);
    }
    cluster.until("postgres", "select count(*) from pg_stat_activity where backend_type = 'client backend'", "3")?;
    assert_eq!(on(&cluster, Verb::PostgresDatabases, "postgres").await?, Err(Unreachable), "full");
    for mut guest in guests {
        drop(guest.stdin.take());
        guest.wait()?;
    }
    // No `psql`.
    let mut absent = action(activity, Some(Literal::Database(database(&cluster, "postgres")?)), Tier::Local);
    if let Wire::Fed { words, .. } = &mut absent.wire {
        words
            .iter_mut()
            .filter(|word| word.starts_with("PATH="))
            .for_each(|word| *word = "PATH=/nonexistent".to_owned());
    }
    let answer = local::run(&absent).await?;
    assert_eq!(parse(activity, &answer), Err(Unsupported), "no psql");
    Ok(())
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn an_owner_of_a_database_cannot_replace_the_catalogue() -> Result<()> {
    let cluster = monitored("")?;
    for sql in [
        "create database theirs encoding 'SQL_ASCII' template template0",
        "alter database theirs set search_path = evil, pg_catalog",
        "alter database theirs set default_transaction_read_only = off",
        "alter database theirs set datestyle = 'German'",
        &format!("alter role {} set default_transaction_read_only = off", me()?),
    ] {
        cluster.admin("postgres", sql)?;
    }
    for sql in [
        "create schema evil",
        "grant usage on schema evil to public",
        "create table evil.stolen (a int)",
        "create function evil.count() returns bigint language sql as 'insert into evil.stolen values (1) returning 1::bigint'",
        "create view evil.pg_stat_activity as select 1 as pid",
        "create view evil.pg_database as select 'forged' as datname, 1 as oid, false as datistemplate, '1'::xid as datfrozenxid",
        "create function evil.pg_database_size(oid) returns bigint language sql as 'select 1::bigint'",
        "create table \"t\" (a int)",
    ] {
        cluster.admin("theirs", sql)?;
    }
    let databases = on(&cluster, Verb::PostgresDatabases, "theirs").await?.unwrap();
    ensure!(
        databases.contains("theirs") && !databases.contains("forged") && !databases.contains("bytes: Some(1)"),
        "{databases}"
    );
    ensure!(on(&cluster, Verb::PostgresActivity, "theirs").await?.unwrap().contains("connections: 1"));
    // The session stays read-only whatever role and database say.
    let theirs = async |sql: &str| -> Result<_> {
        let statement = Statement::new("test", database(&cluster, "theirs")?, sql)?;
        ask(Verb::PostgresQuery, Literal::Statement(Arc::new(statement))).await
    };
    let rows = theirs(
        "select current_setting('transaction_read_only') as a, current_setting('default_transaction_read_only') as b",
    )
    .await?;
    ensure!(rows.clone().unwrap().ends_with("[[Cell::Text(\"on\"), Cell::Text(\"on\")]] }"), "{rows:?}");
    // Bytes that are not UTF-8, in a database that accepts them: the server does not send them.
    cluster.admin("theirs", "create table public.raw (a text)")?;
    cluster.admin("theirs", "insert into public.raw values (convert_from('\\xff22', 'SQL_ASCII'))")?;
    cluster.admin("theirs", "grant select on public.raw to public")?;
    assert_eq!(theirs("select a from public.raw").await?, Err(VerbError::Garbled));
    Ok(())
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_collision_is_seen_with_who_holds_the_lock() -> Result<()> {
    let cluster = monitored("")?;
    cluster.admin("postgres", "create table ticks (a int)")?;
    let _by_hand =
        cluster.client("compression by hand", "postgres", "begin; lock table ticks in access exclusive mode;")?;
    cluster.until("postgres", "select count(*) from pg_locks where relation = 'ticks'::regclass and granted", "1")?;
    let _job = cluster.client("compression policy", "postgres", "select * from ticks;")?;
    cluster.until("postgres", "select count(*) from pg_locks where not granted and waitstart is not null", "1")?;
    let locks = on(&cluster, Verb::PostgresLocks, "postgres").await?.unwrap();
    for part in [
        r#"application: "compression policy", lock: "relation", mode: "AccessShareLock", relation: "public.ticks""#,
        "waiting-s: Some(",
        r#"kind: "client backend", user: "admin", application: "compression by hand", state: "idle in transaction""#,
    ] {
        ensure!(locks.contains(part), "{locks}");
    }
    // The verb's own session is not in the way, and ends at once.
    cluster.admin("postgres", "create table unrelated (a int)")?;
    Ok(())
}

/// A session's query may hold a secret.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn ar13_no_verb_shows_what_others_ask() -> Result<()> {
    let cluster = monitored("")?;
    cluster.admin("postgres", "create table secrets (a text)")?;
    let _holds =
        cluster.client("a", "postgres", "begin; lock table secrets; insert into secrets values ('canary-1');")?;
    let granted = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted";
    cluster.until("postgres", granted, "1")?;
    let _waits = cluster.client("b", "postgres", "select * from secrets where a = 'canary-2';")?;
    cluster.until(
        "postgres",
        "select count(*) from pg_stat_activity where query like '%canary-_%' and pid <> pg_backend_pid()",
        "2",
    )?;
    for verb in [
        Verb::PostgresDatabases,
        Verb::PostgresActivity,
        Verb::PostgresSettings,
        Verb::PostgresReplication,
        Verb::PostgresLocks,
    ] {
        let answer = raw(verb, Literal::Database(database(&cluster, "postgres")?)).await?.unwrap();
        let all = String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned();
        ensure!(!all.is_empty() && !all.contains("canary"), "{verb}: {all}");
    }
    Ok(())
}

/// What redaction takes out of one client's name leaves the row, and the other rows, whole.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn tg05_no_name_of_a_client_hides_the_others() -> Result<()> {
    let cluster = monitored("")?;
    let names =
        ["token=a", "cookie: b", "password=\"c", "token=d\"e,f", "--password g", "-----BEGIN PRIVATE KEY-----", "x\\"];
    let mut clients = Vec::new();
    for name in names {
        clients.push(cluster.client(name, "postgres", "begin; select 1;")?);
    }
    cluster.until("postgres", "select count(*) from pg_stat_activity where state = 'idle in transaction'", "7")?;
    let literal = Literal::Database(database(&cluster, "postgres")?);
    let mut answer = raw(Verb::PostgresActivity, literal).await?.unwrap();
    let redactor = bailiwick_core::redact::Redactor::default();
    answer.stdout = redactor.bytes(answer.stdout, &mut bailiwick_core::redact::Counts::new());
    let result = read(Verb::PostgresActivity, Ok(answer)).unwrap();
    assert_eq!(result.matches(r#"kind: "client backend", database: "postgres", user: "admin""#).count(), 7, "{result}");
    assert_eq!(result.matches("[redacted:").count(), 5, "{result}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_standby_reports_how_far_it_is_behind() -> Result<()> {
    let primary = monitored("")?;
    let standby = primary.standby("copy")?;
    primary.until("postgres", "select count(*) from pg_stat_replication where state = 'streaming'", "1")?;
    let there = on(&primary, Verb::PostgresReplication, "postgres").await?.unwrap();
    ensure!(there.contains(r#"name: "copy", state: "streaming", sync: "async""#), "{there}");
    ensure!(there.contains(r#"name: "copy", active: true, wal-status: "reserved""#), "{there}");
    let here = on(&standby, Verb::PostgresReplication, "postgres").await?.unwrap();
    ensure!(here.contains(r#"role: Role::Standby, receiver: "streaming", bytes-behind: Some("#), "{here}");
    // Until then it has replayed no transaction of its own memory.
    primary.admin("postgres", "create table small (a int)")?;
    standby.until("postgres", "select count(*) from pg_class where relname = 'small'", "1")?;
    standby.admin("postgres", "select pg_wal_replay_pause()")?;
    standby.until("postgres", "select pg_get_wal_replay_pause_state()", "paused")?;
    primary.admin("postgres", "create table big as select generate_series(1, 100000) as a")?;
    standby.until(
        "postgres",
        "select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) > 1000000",
        "t",
    )?;
    let here = on(&standby, Verb::PostgresReplication, "postgres").await?.unwrap();
    ensure!(!here.contains("bytes-behind: Some(0)") && here.contains("seconds-behind: Some("), "{here}");
    // All verbs do on a standby.
    for verb in [Verb::PostgresDatabases, Verb::PostgresActivity, Verb::PostgresSettings, Verb::PostgresLocks] {
        on(&standby, verb, "postgres").await?.unwrap();
    }
    Ok(())
}
