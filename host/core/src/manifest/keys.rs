//! The reference of `manifest.toml`. A test compares it with the keys that the parser takes; bounds are the parser's own.

use super::fix::{CONSTRAINTS_MAX, LINE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::limits::SETTABLE;
use crate::model::{WasiGroup, World};
use crate::reference::{Key, Page, Table};
use crate::rules::CHECKS_MAX;

/// Every table and key of `manifest.toml`.
#[must_use]
pub fn reference() -> Page {
    Page {
        file: "manifest.toml",
        about: "What a component is and what it requests, each request with its reason. `bailiwick pack` embeds it in the component. \
                A reason, a title or another sentence is one line of plain text of at most 200 bytes. An unknown key is an error.",
        tables: vec![
            component(),
            uses(),
            slot(),
            param(),
            wasi(),
            history(),
            limit(),
            check(),
            verdict("[check.none]", "The finding if no item counts: if the list is empty, or `where` leaves nothing."),
            verdict(
                "[check.error.NAME]",
                "The finding if the target returns this error. NAME is not-found, not-permitted or unsupported. After any other error the result \
                 is \"could not check\".",
            ),
            metric(),
            contract(),
            answers(),
            content(),
        ],
    }
}

fn why() -> Key {
    Key::required("why", "string", "why = \"is the unit running\"", "The reason for the request.")
}

fn verbs(about: &'static str, example: &str) -> Key {
    Key::required("verb", "list of strings", example, about)
        .allowed("verbs of the contract, such as those that `bailiwick review` prints")
}

fn component() -> Table {
    Table {
        header: "[component]",
        about: "What the component is.",
        keys: vec![
            Key::required("id", "string", "id = \"disk-room\"", "The id, by which policy and commands name it.")
                .allowed("lower-case letters, digits and hyphens"),
            Key::required("version", "string", "version = \"1.2.3\"", "The version.").allowed("three numbers"),
            Key::required(
                "world",
                "string",
                "world = \"bailiwick:ops/probe@0.1.0\"",
                "Its WIT interface: probe or fix.",
            )
            .allowed(World::ALL.iter().map(|world| world.full_name()).collect::<Vec<_>>().join(" or ")),
            Key::required("title", "string", "title = \"Room on the disks\"", "What it does, in one line."),
            Key::optional(
                "scope",
                "string",
                "target",
                "scope = \"fleet\"",
                "Whether one run is about one target, or about all targets that policy grants.",
            )
            .allowed("target or fleet; a fix and a `[[check]]` have target"),
        ],
    }
}

fn uses() -> Table {
    Table {
        header: "[[use]]",
        about: "Actions with no argument, such as `system.memory`.",
        keys: vec![verbs("The verbs.", "verb = [\"system.memory\"]"), why()],
    }
}

fn slot() -> Table {
    Table {
        header: "[[slot]]",
        about: "A named argument whose value policy.toml sets, and the verbs that act on it.",
        keys: vec![
            Key::required("name", "string", "name = \"unit\"", "The name of the slot.")
                .allowed("lower-case letters, digits and hyphens"),
            verbs("The verbs. All take the same kind of object.", "verb = [\"services.status\"]"),
            Key::optional(
                "default",
                "string",
                "none; policy.toml has to bind the slot",
                "default = \"ssh.service\"",
                "The value if policy.toml binds none.",
            )
            .allowed(
                "a value of the kind that the verbs take; not on another machine, and not the NAME of a table in policy.toml",
            ),
            Key::optional("many", "boolean", false, "many = true", "Whether policy.toml can bind several values."),
            Key::optional(
                "content",
                "list of strings",
                "[]",
                "content = [\"rules\"]",
                "The names of the `[[content]]` tables that a changing verb can write. Only in a fix.",
            ),
            why(),
        ],
    }
}

fn param() -> Table {
    Table {
        header: "[param.NAME]",
        about: "A setting with a value, which policy can change.",
        keys: vec![
            Key::required(
                "default",
                "integer, number, boolean, string, or list of strings",
                "default = 90.0",
                "The value without a policy. Its type is the parameter's type.",
            ),
            Key::required(
                "about",
                "string",
                "about = \"used space that is a warning, in percent\"",
                "What it is for, with its unit.",
            ),
        ],
    }
}

fn wasi() -> Table {
    Table {
        header: "[wasi]",
        about: "Stub WASI functions for toolchains that import them. They give no access to files, network or clock.",
        keys: vec![
            Key::required(
                "interfaces",
                "list of strings",
                "interfaces = [\"cli\", \"io\"]",
                "The groups of interfaces.",
            )
            .allowed(WasiGroup::ALL.iter().map(|group| group.name()).collect::<Vec<_>>().join(", ")),
            why(),
        ],
    }
}

fn history() -> Table {
    Table {
        header: "[history]",
        about: "Lets the component read its own numbers of earlier runs. Not for checks.",
        keys: vec![why()],
    }
}

fn limit() -> Table {
    let names: Vec<_> = SETTABLE.iter().map(|row| row.name).collect();
    Table {
        header: "[[limit]]",
        about: "A limit that the component needs to have raised. It is a request: `[[raise]]` in the policy grants it.",
        keys: vec![
            Key::required("name", "string", "name = \"memory-bytes\"", "The limit.").allowed(names.join(", ")),
            Key::required("value", "integer", "value = 134217728", "The value that the component needs.")
                .allowed("above the default, up to the maximum; `bailiwick limits` prints both"),
            why(),
        ],
    }
}

fn check() -> Table {
    Table {
        header: "[[check]]",
        about: "A check that needs no compiler: what to conclude from the answer of a verb. A value of type `line` is text in which `{EXPRESSION}` inserts a value. An `expression` compares and computes fields of the answer, as in `size == 0` or `now - modified`; `bailiwick new NAME --lang toml` writes a README with examples.",
        keys: vec![
            Key::required("code", "string", "code = \"age\"", "The code of its findings. It never changes.")
                .allowed(format!("lower-case letters, digits and hyphens; at most {CHECKS_MAX} checks")),
            Key::required(
                "over",
                "string",
                "over = \"files.stat\"",
                "The verb. The manifest requests it in a `[[use]]` or `[[slot]]`.",
            ),
            Key::optional(
                "slot",
                "string",
                "none; required for a verb with an object",
                "slot = \"file\"",
                "The slot of the verb.",
            ),
            Key::optional(
                "each",
                "string",
                "none; the answer is the item",
                "each = \"sessions\"",
                "A list in the answer. Its entries are the items.",
            ),
            Key::optional("where", "expression", "every item", "where = \"state == 'active'\"", "Which items count."),
            Key::optional(
                "summary",
                "boolean",
                false,
                "summary = true",
                "One finding about the number of items (`count`), instead of one for each item.",
            ),
            Key::optional(
                "subject",
                "line",
                "what is bound to the slot",
                "subject = \"{slot}\"",
                "What a finding is about.",
            ),
            Key::required(
                "title",
                "line",
                "title = \"{slot} was written {age as duration} ago\"",
                "The text of the finding; `{…}` inserts values, such as `{slot}` or `{age as duration}`.",
            ),
            Key::optional("ok", "line", "`title`", "ok = \"{slot} is fresh\"", "The text of a finding that is ok."),
            Key::optional(
                "critical",
                "expression",
                "none; required without `warning`",
                "critical = \"size == 0\"",
                "When the finding is critical.",
            ),
            Key::optional(
                "warning",
                "expression",
                "none; required without `critical`",
                "warning = \"age >= 2 d\"",
                "When the finding is a warning.",
            ),
            Key::optional(
                "none",
                "table",
                "none; required for a list and with `where`, except with `summary`",
                "none = { severity = \"ok\", title = \"no session\" }",
                "The finding if no item counts.",
            ),
            Key::optional(
                "error",
                "table: error to finding",
                "none; an error is \"could not check\"",
                "error.not-found = { severity = \"critical\", title = \"{slot} does not exist\" }",
                "The finding for an error that the target returns.",
            )
            .allowed("not-found, not-permitted, unsupported"),
            Key::optional(
                "let",
                "table: name to expression",
                "none",
                "let.age = \"now - modified\"",
                "Names for expressions.",
            ),
            Key::optional(
                "metric",
                "table: name to metric",
                "none",
                "metric.size-bytes = { value = \"size\", unit = \"bytes\" }",
                "Numbers of the finding.",
            ),
        ],
    }
}

fn verdict(header: &'static str, about: &'static str) -> Table {
    Table {
        header,
        about,
        keys: vec![
            Key::required("severity", "string", "severity = \"critical\"", "The severity of the finding.")
                .allowed("ok, warning, critical, unknown"),
            Key::required(
                "title",
                "line",
                "title = \"{slot} does not exist\"",
                "The text of the finding; `{…}` inserts values.",
            ),
        ],
    }
}

fn metric() -> Table {
    Table {
        header: "[check.metric.NAME]",
        about: "A number of a finding.",
        keys: vec![
            Key::required("value", "expression", "value = \"size\"", "The number."),
            Key::required("unit", "string", "unit = \"bytes\"", "Its unit.")
                .allowed("count, bytes, seconds, percent, ratio, per-second, per-hour"),
        ],
    }
}

fn contract() -> Table {
    Table {
        header: "[contract]",
        about: "The purpose of the fix. Required for a fix, and only for a fix.",
        keys: vec![
            Key::required(
                "intent",
                "string",
                "intent = \"the exporter reads statistics again\"",
                "What the change achieves.",
            ),
            Key::required(
                "rationale",
                "string",
                "rationale = \"a role of its own needs no superuser\"",
                "Why the change is made in this way.",
            ),
            Key::required(
                "if-reverted",
                "string",
                "if-reverted = \"the exporter loses its login\"",
                "What breaks if the change is rolled back.",
            ),
            Key::required(
                "constraints",
                "list of strings",
                "constraints = [\"read-only access\"]",
                "Requirements that the change must meet.",
            )
            .allowed(format!("1 to {CONSTRAINTS_MAX} sentences")),
        ],
    }
}

fn answers() -> Table {
    Table {
        header: "[[answers]]",
        about: "A finding that the fix answers. A fix has at least one.",
        keys: vec![
            Key::required("probe", "string", "probe = \"leftover-file\"", "The id of the probe."),
            Key::required("code", "string", "code = \"leftover\"", "The code of the finding.")
                .allowed("1 to 64 lower-case letters, digits and hyphens"),
        ],
    }
}

fn content() -> Table {
    Table {
        header: "[[content]]",
        about: "Bytes that a fix can write. A reviewer reads them before anything runs, and policy can replace them.",
        keys: vec![
            Key::required("name", "string", "name = \"rules\"", "The name, for `content` of a slot.")
                .allowed("lower-case letters, digits and hyphens; not `computed`"),
            Key::optional(
                "text",
                "string",
                "none; required without `line`",
                "text = \"groups: []\\n\"",
                "A whole file.",
            )
            .allowed(format!("plain text of up to {} KiB", TEXT_BYTES_MAX >> 10)),
            Key::optional(
                "line",
                "string",
                "none; required without `text`",
                "line = \"vm.swappiness = 10\"",
                "One line of a file.",
            )
            .allowed(format!("plain text of up to {LINE_BYTES_MAX} bytes")),
            Key::optional("at", "string", "end", "at = \"start\"", "Where the line is added.")
                .allowed("start or end; only with `line`"),
            why(),
        ],
    }
}
