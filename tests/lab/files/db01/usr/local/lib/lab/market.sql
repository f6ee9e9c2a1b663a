-- The databases of db01. Once, as postgres; `password` is the collectors'.
create database market;
create database reports;
revoke all on database market, reports from public;

-- Read only.
create role "bw-read" login;
grant pg_monitor to "bw-read";
grant connect on database market, reports, postgres to "bw-read";
alter role "bw-read" set default_transaction_read_only = on;

-- Adds ticks, and nothing else.
create role collector login password :'password';
grant connect on database market to collector;

\connect market
create table ticks (
    time   timestamptz not null default now(),
    symbol text not null,
    price  numeric(12, 4) not null,
    source text not null
) partition by range (time);
-- A partition a day: a week back, a week ahead.
select format('create table ticks_%s partition of ticks for values from (%L) to (%L)',
              to_char(day, 'YYYYMMDD'), day, day + interval '1 day')
  from generate_series(date_trunc('day', now()) - interval '7 days',
                       date_trunc('day', now()) + interval '7 days', interval '1 day') as day
\gexec
insert into ticks
select time, symbol, 100 + 40 * sin(extract(epoch from time) / 9000 + length(symbol)) + random(), 'history'
  from generate_series(now() - interval '7 days', now(), interval '30 seconds') as time,
       unnest(array['AAPL', 'AMZN', 'ESZ6', 'GOOG', 'MSFT', 'NQZ6', 'NVDA', 'TSLA']) as symbol;
create index on ticks (symbol, time);
grant insert on ticks to collector;

-- A job that is scheduled, as TimescaleDB's compression would be: it needs a lock for a moment, and gives up if another session has it.
create function compress_ticks() returns void language plpgsql set lock_timeout = '2s' as $$
begin
    lock table ticks in share update exclusive mode;
end $$;
create extension pg_cron;
select from cron.schedule('compression policy', '* * * * *', 'select compress_ticks()');
-- Without these, each role sees only its own jobs.
grant usage on schema cron to "bw-read";
grant select on cron.job, cron.job_run_details to "bw-read";
create policy watch_jobs on cron.job for select to "bw-read" using (true);
create policy watch_runs on cron.job_run_details for select to "bw-read" using (true);
analyze;

\connect reports
create table report (day date primary key, trades int not null, note text);
insert into report select day, (random() * 500)::int, 'closed'
  from generate_series(current_date - 90, current_date - 1, interval '1 day') as day;
