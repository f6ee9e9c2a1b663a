//! PostgreSQL 14 and later: fixed queries on the server's own catalogues, and statements of the operator.
//!
//! Must not read: the text of a client's query, which may contain data; settings that may contain a password. If the role
//! may not see everything, the column `complete` reports it: a server that hides its sessions must not look idle.
//!
//! A text that others chose begins with a tab (`chr(9)`), which makes `psql` put it in quotes: redaction in it ends
//! there. Otherwise a client that is called `token=x` or `cookie: x` could remove columns from a row, which would then be garbled
//! (TG05).

use std::time::Duration;

use super::{Invocation, Spec};
use crate::model::{Effect, Object};

/// A verb on a slot's database, with a query of ours.
const fn on_database(sql: &'static str, reads: &'static str) -> Spec {
    Spec {
        effect: Effect::Observe,
        object: Object::Database,
        invocation: Invocation::Query(Some(sql)),
        bytes_max: 512 << 10,
        timeout: Duration::from_secs(20),
        reads,
    }
}

pub(super) const DATABASES: Spec = on_database(
    "select chr(9) || d.datname as datname, case when has_database_privilege(d.oid, 'connect') or pg_has_role('pg_read_all_stats', 'usage')
  then pg_database_size(d.oid) end as bytes, d.datistemplate, age(d.datfrozenxid) as frozen_age
from pg_database d order by d.datname",
    "names, sizes and transaction ages of the server's databases",
);

pub(super) const ACTIVITY: Spec = on_database(
    "select pg_has_role('pg_read_all_stats', 'usage') as complete, current_setting('max_connections') as slots,
  current_setting('superuser_reserved_connections') as reserved,
  count(*) filter (where a.backend_type = 'client backend') over () as clients,
  a.pid = pg_backend_pid() as own, a.pid, chr(9) || a.backend_type as backend_type,
  chr(9) || a.datname as datname, chr(9) || a.usename as usename, chr(9) || a.application_name as application_name, a.state, a.wait_event_type,
  round(extract(epoch from clock_timestamp() - a.xact_start), 3) as transaction_s,
  round(extract(epoch from clock_timestamp() - a.state_change), 3) as state_s
from pg_stat_activity a
where a.backend_type is null or a.backend_type = 'client backend' or a.backend_type <> 'parallel worker' and a.xact_start is not null
order by a.xact_start nulls last, a.pid limit 500",
    "who is connected, in which state, since when; not what they ask",
);

pub(super) const SETTINGS: Spec = on_database(
    "select chr(9) || name as name, chr(9) || setting as setting, unit, source, pending_restart from pg_settings
where vartype <> 'string' or name in ('server_version', 'server_encoding', 'listen_addresses', 'data_directory', 'TimeZone',
  'log_timezone', 'log_destination', 'shared_preload_libraries', 'synchronous_standby_names', 'cluster_name',
  'lc_messages', 'unix_socket_directories')
order by 1",
    "settings that are a number, a switch or a choice, and a dozen others; none that may hold a password or a command",
);

pub(super) const REPLICATION: Spec = on_database(
    "select pg_has_role('pg_read_all_stats', 'usage') as complete, 'server' as kind, null as name,
  case when pg_is_in_recovery() then 'standby' else 'primary' end as state, (select status from pg_stat_wal_receiver) as detail,
  case when pg_is_in_recovery() then greatest(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0) end as bytes,
  case when pg_is_in_recovery() then round(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()), 3) end as seconds
union all
select true, 'standby', chr(9) || application_name, state, sync_state,
  greatest(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, replay_lsn), 0),
  round(extract(epoch from replay_lag), 3)
from pg_stat_replication
union all
select true, 'slot', chr(9) || slot_name, case when active then 'active' else 'inactive' end, wal_status,
  greatest(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, restart_lsn), 0), null
from pg_replication_slots",
    "whether it is a standby, how far it and its standbys are behind, what its slots keep",
);

pub(super) const LOCKS: Spec = on_database(
    "select pg_has_role('pg_read_all_stats', 'usage') as complete, w.*
from (select) as once left join (
  select b.pid, chr(9) || b.backend_type as backend_type, chr(9) || b.datname as datname, chr(9) || b.usename as usename,
    chr(9) || b.application_name as application_name, l.locktype, l.mode,
    case when l.database = (select oid from pg_database where datname = current_database()) then chr(9) || l.relation::regclass::text end as relation,
    round(extract(epoch from clock_timestamp() - l.waitstart), 3) as waiting_s,
    h.pid as by_pid, chr(9) || h.backend_type as by_kind, chr(9) || h.usename as by_user, chr(9) || h.application_name as by_application, h.state as by_state,
    round(extract(epoch from clock_timestamp() - h.xact_start), 3) as by_transaction_s
  from pg_locks l join pg_stat_activity b on b.pid = l.pid
    cross join lateral (select distinct unnest(pg_blocking_pids(l.pid)) as pid) as x
    left join pg_stat_activity h on h.pid = x.pid
  where not l.granted) as w on true
order by w.waiting_s desc nulls last, w.pid, w.by_pid limit 500",
    "who waits for whose lock, on which table, since when; not what they ask",
);

pub(super) const QUERY: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Statement,
    invocation: Invocation::Query(None),
    bytes_max: 256 << 10,
    timeout: Duration::from_secs(20),
    reads: "what the operator's statement returns",
};
