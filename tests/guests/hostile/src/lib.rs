//! One component, many ways to be bad: the parameter `behaviour` picks one, so that tests choose per target. The
//! table in ../../README.md says what each is for.

mod ask;
mod burn;
mod flood;
mod lie;
mod text;

use raw::{Guest, Outcome, Target, failure};

const BEHAVIOURS: &[(&str, fn(&Target) -> Outcome)] = &[
    ("quiet", ask::quiet),
    ("ask-all-once", ask::ask_all_once),
    ("sleep-in-verb", ask::sleep_in_verb),
    ("keep-secret", ask::keep_secret),
    ("forge-handle", ask::forge_handle),
    ("stale-handle", ask::stale_handle),
    ("loop", burn::forever),
    ("free-loop", burn::cheaply_forever),
    ("slow", burn::slow),
    ("recurse", burn::recurse),
    ("memory", burn::grow_and_abort),
    ("memory-touch", burn::allocate_and_touch),
    ("memory-modest", burn::grow_and_report),
    ("trap", burn::trap),
    ("flood-calls", flood::calls),
    ("flood-local", flood::local_calls),
    ("flood-logs", flood::logs),
    ("big-log", flood::big_log),
    ("big-report", lie::big_report),
    ("long-report", lie::long_report),
    ("many-findings", lie::many_findings),
    ("many-metrics", lie::many_metrics),
    ("bad-metric", lie::bad_metric),
    ("bad-code", lie::bad_code),
    ("evidence-lies", lie::evidence),
    ("failure-lies", lie::failure_lies),
    ("escape-text", text::in_findings),
    ("escape-failure", text::in_failure),
    ("tell-files", text::tell_files),
    ("tell-failure", text::tell_failure),
    ("tell-file", text::of_the_target),
    ("stat-file", ask::stat_file),
];

struct Hostile;

impl Guest for Hostile {
    fn examine(targets: Vec<Target>) -> Outcome {
        let Some(target) = targets.first() else {
            return Err(failure("the run has no target".to_owned()));
        };
        let wanted = raw::text(target, "behaviour")?;
        match BEHAVIOURS.iter().find(|(name, _)| *name == wanted) {
            Some((_, behave)) => behave(target),
            None => Err(failure(["no behaviour ", &wanted].concat())),
        }
    }
}

raw::export_component!(Hostile with_types_in raw);
