//! The reference of `policy.toml`. A test compares it with the keys that the parser takes; bounds and defaults are the parser's own.

use super::change::{ChangeRules, DEAD_MAN, HOURS, MARGIN, MINUTES, PER_DAY, REHEARSAL, VERIFY};
use bailiwick_core::limits::SETTABLE;
use bailiwick_core::redact;
use bailiwick_core::reference::{Key, Page, Table};

/// Every table and key of `policy.toml`.
#[must_use]
pub fn reference() -> Page {
    Page {
        file: "policy.toml",
        about: "The operator's rules: which component runs on which target, what fills its slots, and what nothing may touch. The \
                file is in the ops directory. Every table is optional. An unknown key is an error.",
        tables: vec![
            grant(),
            never(),
            change(),
            window(),
            calendar(),
            stateless(),
            change_command(),
            statement(),
            command(),
            signatures(),
            worker(),
            lowered(),
            raise(),
            anchor(),
            retention(),
            redaction(),
        ],
    }
}

const TARGETS: &str = "names of targets, and tags as `tag:NAME`";
const DAYS: &str = "mon, tue, wed, thu, fri, sat, sun";
const WHY: &str = "why = \"…\"";

fn why(about: &'static str) -> Key {
    Key::required("why", "string", WHY, about)
}

fn grant() -> Table {
    Table {
        header: "[[grant]]",
        about: "Allows components on targets. All else is denied.",
        keys: vec![
            Key::required(
                "component",
                "string, or list of strings",
                "component = [\"load\", \"uptime\"]",
                "The ids of the components.",
            ),
            Key::required("on", "list of strings", "on = [\"tag:linux\", \"db01\"]", "The targets.").allowed(TARGETS),
            Key::optional(
                "bind",
                "table: slot to string or list of strings",
                "the manifest's default of the slot",
                "bind.unit = [\"nginx.service\"]",
                "Values for the component's slots: a unit, a file, a URL. A slot is a named argument of the component's actions; `bailiwick inspect FILE` prints them.",
            ),
            Key::optional(
                "param",
                "table: parameter to value",
                "the manifest's default of the parameter",
                "param.warn-percent = 85.0",
                "Values of the component's parameters, of the type of the default.",
            ),
            Key::optional(
                "content",
                "table: content to string",
                "the text in the manifest",
                "content.rules = \"groups: []\\n\"",
                "The operator's own text instead of a `[[content]]` of a fix.",
            ),
            Key::optional(
                "unattended",
                "boolean",
                "false",
                "unattended = true",
                "Whether the fix may be applied in a window without a person. It needs a recent rehearsal.",
            ),
            Key::optional(
                "signers",
                "list of strings",
                "none; no signature is needed unless `[signatures]` requires one",
                "signers = [\"alice@example.org\"]",
                "The signers, one of whom must have signed the component.",
            )
            .allowed("exact names from the allowed_signers file"),
        ],
    }
}

fn never() -> Table {
    Table {
        header: "[[never]]",
        about: "Forbids actions, whatever is granted. All keys of a [[never]] must match (AND). A rule that cannot match anything is an error.",
        keys: vec![
            Key::optional(
                "verbs",
                "list of strings",
                "every verb",
                "verbs = [\"services.logs\", \"files.*\"]",
                "The verbs that are forbidden.",
            )
            .allowed("names of verbs, or an interface as `files.*`"),
            Key::optional(
                "units",
                "list of strings",
                "[]",
                "units = [\"postgresql*\"]",
                "The systemd units that are forbidden.",
            )
            .allowed("a unit, or a pattern with `*`"),
            Key::optional(
                "files",
                "list of strings",
                "[]",
                "files = [\"/etc/ssh/*\"]",
                "The files that are forbidden.",
            )
            .allowed("an absolute path, or a pattern with `*`"),
            Key::optional(
                "objects",
                "list of strings",
                "[]",
                "objects = [\"podman/trading-*\"]",
                "Other objects that are forbidden: containers, addresses, URLs, databases.",
            )
            .allowed("an object as bindings write it, or a pattern with `*`"),
            why("The reason. It is part of every refusal."),
        ],
    }
}

fn change() -> Table {
    let rules = ChangeRules::default();
    Table {
        header: "[change]",
        about: "Limits on changes, and how a change is verified.",
        keys: vec![
            Key::optional(
                "zone",
                "string",
                &rules.zone.name,
                "zone = \"Europe/Berlin\"",
                "The time zone of days and windows.",
            )
            .allowed("a name in /usr/share/zoneinfo"),
            Key::optional("per-day", "integer", rules.per_day, "per-day = 2", "Changes of the whole fleet in one day.")
                .between(&PER_DAY),
            Key::optional(
                "min-hours-between",
                "integer, in hours",
                rules.min_hours_between,
                "min-hours-between = 6",
                "Shortest time between two changes.",
            )
            .between(&HOURS),
            Key::optional(
                "verify-seconds",
                "integer, in seconds",
                rules.verify_seconds,
                "verify-seconds = 300",
                "How long a change is verified. If it does not work by then, it is rolled back.",
            )
            .between(&VERIFY),
            Key::optional(
                "dead-man-seconds",
                "integer, in seconds",
                rules.dead_man_seconds,
                "dead-man-seconds = 900",
                "After this time without a confirmation the target rolls the change back by itself.",
            )
            .allowed(format!(
                "{} to {}, and at least verify-seconds + {MARGIN}",
                DEAD_MAN.start(),
                DEAD_MAN.end()
            )),
            Key::optional(
                "rehearsal-days",
                "integer, in days",
                rules.rehearsal_days,
                "rehearsal-days = 14",
                "Maximum age of the rehearsal that an unattended change needs.",
            )
            .between(&REHEARSAL),
            Key::optional(
                "approvers",
                "string",
                "none; no approval by signature is accepted",
                "approvers = \"approvers\"",
                "The file with the keys of the approvers, in the format of ssh's allowed_signers.",
            )
            .allowed("a path; a relative path starts at the ops directory"),
            Key::optional(
                "hold-on-stop",
                "boolean",
                true,
                "hold-on-stop = false",
                "What `bailiwick stop` does to a running change. true: it waits until the target rolls it back (`dead-man-seconds`). false: it \
                 is rolled back at once.",
            ),
            Key::optional(
                "staging",
                "list of strings",
                "[]",
                "staging = [\"stage01\"]",
                "The staging targets, on which fixes are rehearsed.",
            )
            .allowed(TARGETS),
        ],
    }
}

fn window() -> Table {
    Table {
        header: "[[window]]",
        about: "When changes may begin. Without any window, attended changes may begin at any time, and unattended ones never.",
        keys: vec![
            Key::required("on", "list of strings", "on = [\"tag:linux\"]", "The targets.").allowed(TARGETS),
            Key::optional(
                "days",
                "list of strings",
                "every day",
                "days = [\"tue\", \"wed\"]",
                "The days on which the window opens.",
            )
            .allowed(DAYS),
            Key::required("from", "string", "from = \"09:00\"", "When the window opens.").allowed("00:00 to 23:59"),
            Key::required(
                "to",
                "string",
                "to = \"11:30\"",
                "When the window closes; on the next day if this is not after `from`.",
            )
            .allowed("00:00 to 23:59, not the same as `from`"),
        ],
    }
}

fn calendar() -> Table {
    Table {
        header: "[[calendar]]",
        about: "Other jobs on the targets. No change begins that could overlap with one.",
        keys: vec![
            Key::required("what", "string", "what = \"backup\"", "What the job is."),
            Key::required("on", "list of strings", "on = [\"db01\"]", "The targets.").allowed(TARGETS),
            Key::optional(
                "days",
                "list of strings",
                "every day",
                "days = [\"sun\"]",
                "The days on which the job runs.",
            )
            .allowed(DAYS),
            Key::required("at", "string", "at = \"02:30\"", "When the job starts.").allowed("00:00 to 23:59"),
            Key::required("minutes", "integer, in minutes", "minutes = 90", "How long the job may take.")
                .between(&MINUTES),
        ],
    }
}

fn stateless() -> Table {
    Table {
        header: "[stateless]",
        about: "What a fix may restart. A restart of anything else is refused.",
        keys: vec![
            Key::optional(
                "units",
                "list of strings",
                "[]",
                "units = [\"quote-cache.service\"]",
                "Units that a restart does not harm, without patterns.",
            ),
            Key::optional(
                "containers",
                "list of strings",
                "[]",
                "containers = [\"podman/quote-api\"]",
                "Containers that a restart does not harm.",
            )
            .allowed("the runtime and the name, as in the example"),
        ],
    }
}

fn change_command() -> Table {
    let argv = "one list entry per word; no quotes, variables or patterns";
    Table {
        header: "[change-command.NAME]",
        about: "A program that changes something, with the programs that undo and check it. Slots of `commands-change.run` bind it by NAME.",
        keys: vec![
            Key::required(
                "does",
                "list of strings",
                "does = [\"/usr/sbin/runuser\", \"-u\", \"app\", \"--\", \"/opt/app/refresh\"]",
                "The program and its arguments, run without a shell.",
            )
            .allowed(argv),
            Key::required(
                "undoes",
                "list of strings",
                "undoes = [\"/usr/sbin/runuser\", \"-u\", \"app\", \"--\", \"/opt/app/unrefresh\"]",
                "The program that undoes it, with its arguments.",
            )
            .allowed(argv),
            Key::required(
                "checks",
                "list of strings",
                "checks = [\"/opt/app/is-fresh\"]",
                "The program that succeeds if the change is in place.",
            )
            .allowed(argv),
            why("The reason, for the review."),
        ],
    }
}

fn statement() -> Table {
    Table {
        header: "[statement.NAME]",
        about: "A query that slots of `postgres.query` bind by NAME.",
        keys: vec![
            Key::required(
                "database",
                "string",
                "database = \"market:5433\"",
                "The database, and the port of its server.",
            )
            .allowed("a name, or a name and a port"),
            Key::required(
                "sql",
                "string",
                "sql = \"select count(*) from orders\"",
                "One query. It runs in a read-only transaction.",
            ),
            why("The reason, for the review."),
        ],
    }
}

fn command() -> Table {
    Table {
        header: "[command.NAME]",
        about: "A program that observes. Slots of `commands.run` bind it by NAME.",
        keys: vec![
            Key::required(
                "argv",
                "list of strings",
                "argv = [\"/usr/sbin/logrotate\", \"--debug\", \"/etc/logrotate.conf\"]",
                "The program and its arguments, run without a shell.",
            )
            .allowed("one list entry per word; no quotes, variables or patterns"),
            Key::required("effect", "string", "effect = \"observe\"", "Must be `observe`: the program only reads.")
                .allowed("observe"),
            why("The reason, for the review."),
        ],
    }
}

fn signatures() -> Table {
    Table {
        header: "[signatures]",
        about: "Whose signatures on components are accepted.",
        keys: vec![
            Key::required(
                "allowed-signers",
                "string",
                "allowed-signers = \"allowed_signers\"",
                "The file with the signers and their keys, in the format of ssh's allowed_signers.",
            )
            .allowed("a path; a relative path starts at the ops directory"),
            Key::optional(
                "require",
                "boolean",
                false,
                "require = true",
                "Whether every component in `components/` must be signed.",
            ),
        ],
    }
}

fn worker() -> Table {
    Table {
        header: "[worker]",
        about: "The processes in which components run.",
        keys: vec![Key::optional(
            "require-lockdown",
            "boolean",
            false,
            "require-lockdown = true",
            "Whether a component is refused if the kernel cannot lock its worker down in every way. `check --require-lockdown` \
             does the same for one sweep.",
        )],
    }
}

fn lowered() -> Table {
    let keys = SETTABLE.iter().map(|row| Key {
        name: row.name,
        kind: "integer",
        default: Some(row.shown(row.default)),
        range: Some(format!("1 to {} here; 1 to {} in [[raise]]", row.default, row.max)),
        example: format!("{} = {}", row.name, row.default),
        about: row.bounds,
    });
    Table {
        header: "[limits]",
        about: "Lower limits for every component. `bailiwick limits` prints what happens when a limit is reached.",
        keys: keys.collect(),
    }
}

fn raise() -> Table {
    Table {
        header: "[[raise]]",
        about: "Overrides of limits for named components; they can be higher than the default.",
        keys: vec![
            Key::required(
                "component",
                "string, or list of strings",
                "component = \"dump-age\"",
                "The ids of the components.",
            ),
            Key::required("LIMIT", "integer", "memory-bytes = 134217728", "Any key of `[limits]`; at least one.")
                .allowed("1 to the maximum of the limit"),
            why("The reason, for the review."),
        ],
    }
}

fn anchor() -> Table {
    Table {
        header: "[[anchor]]",
        about: "Keeps the journal's latest hash (its head) on another machine: in a file on a target, or in a git repository.",
        keys: vec![
            Key::optional(
                "target",
                "string",
                "none; required without `git`",
                "target = \"log01\"",
                "The target with the file.",
            )
            .allowed("a target over SSH"),
            Key::optional(
                "file",
                "string",
                "none; required without `git`",
                "file = \"/var/lib/bailiwick/heads\"",
                "The file on the target. Heads are only appended.",
            )
            .allowed("an absolute path"),
            Key::optional("user", "string", "the target's account", "user = \"anchor\"", "The account for the file."),
            Key::optional(
                "identity",
                "string",
                "the target's key",
                "identity = \"keys/anchor\"",
                "The private key of that account.",
            )
            .allowed("a path; `~/` is the home directory, a relative path starts at the ops directory"),
            Key::optional(
                "git",
                "string",
                "none; required without `target`",
                "git = \"/srv/heads\"",
                "A git repository on the controller. It excludes `target`, `file`, `user` and `identity`.",
            )
            .allowed("an absolute path"),
            why("The reason, for the review."),
        ],
    }
}

fn retention() -> Table {
    Table {
        header: "[retention]",
        about: "How much evidence `bailiwick journal prune` keeps. Without this table all evidence is kept. Journal entries are always kept.",
        keys: vec![
            Key::optional(
                "days",
                "integer, in days",
                "no limit",
                "days = 400",
                "Evidence that is older may be removed.",
            )
            .allowed(format!("1 to {}", u32::MAX)),
            Key::optional(
                "bytes",
                "integer, in bytes",
                "no limit",
                "bytes = 10_000_000_000",
                "Beyond this size the oldest evidence may be removed.",
            )
            .allowed("1 or more"),
        ],
    }
}

fn redaction() -> Table {
    Table {
        header: "[[redact]]",
        about: "What a secret in an answer looks like, besides the built-in rules. It is removed before the journal, the component and the \
                report see the answer. A file can have several of these tables.",
        keys: vec![
            Key::required(
                "name",
                "string",
                "name = \"pg-url\"",
                "The name of the rule. The journal counts what it removed.",
            )
            .allowed(format!("lower-case letters, digits and hyphens; at most {} rules", redact::RULES_MAX)),
            Key::required(
                "pattern",
                "string",
                "pattern = 'postgres://\\S+'",
                "A regular expression in the syntax of the Rust crate regex.",
            )
            .allowed("must not match an empty text"),
            Key::optional("why", "string", "none", WHY, "The reason, for people who read the file."),
        ],
    }
}
