//! What a fix may put on its list, by target and policy: the whole table, and each rule that removes something from it.

use std::fmt::Write;
use std::path::Path;

use bailiwick_core::fleet;
use bailiwick_core::manifest;
use bailiwick_core::model::{Literal, Verb, Wire};
use bailiwick_core::source::{Problems, Source};
use bailiwick_policy::grant;
use bailiwick_policy::grant::{Exclusions, Grant};
use bailiwick_policy::policy;

const FLEET: &str = r#"
[targets.plain]
address = "10.0.0.1"
user = "bw-read"
identity = "/k"
[targets.gated]
address = "10.0.0.2"
user = "bw-read"
identity = "/k"
[targets.gated.gate]
user = "bw-change"
identity = "/c"
"#;

const GRANT: &str = r#"
[[grant]]
component = "meddler"
on = ["plain", "gated"]
bind.file = "/etc/meddled"
bind.lines = "/etc/lines"
bind.units = ["web.service", "db.service"]
bind.container = "podman/quote-api"
bind.command = "role"
[change-command.role]
does = ["/usr/bin/psql", "-c", "create role x"]
undoes = ["/usr/bin/psql", "-c", "drop role x"]
checks = ["/usr/local/lib/ops/has-role", "x"]
why = "w"
"#;

fn rendered(Problems(found): Problems) -> String {
    found.iter().map(|problem| problem.render(false) + "\n").collect()
}

fn grants(more: &str) -> Result<Vec<Grant>, String> {
    let text = include_str!("../../guests/meddler/manifest.toml");
    let manifest = manifest::parse(&Source::embedded("manifest.toml", text)).map_err(rendered)?;
    let fleet = fleet::parse(&Source::embedded("fleet.toml", FLEET), Path::new("/"), None).map_err(rendered)?;
    let policy = policy::parse(&Source::embedded("policy.toml", &(GRANT.to_owned() + more))).map_err(rendered)?;
    let library = [(manifest.id.clone(), manifest.clone())].into();
    let assignments = policy::resolve(&policy, &fleet, &library).map_err(rendered)?;
    let grants_of = |(name, all): (_, &std::collections::BTreeMap<_, _>)| {
        grant::compute(&manifest, &fleet.targets[name], &all[&manifest.id], Exclusions::from(&policy))
    };
    Ok(assignments.iter().map(grants_of).collect())
}

fn gated(more: &str) -> Grant {
    grants(more).unwrap().into_iter().find(|grant| grant.target.as_str() == "gated").unwrap()
}

fn ids(grant: &Grant) -> Vec<&str> {
    grant.entries().map(|granted| granted.action.id.as_str()).collect()
}

#[test]
fn the_table() {
    let mut text = String::new();
    for grant in grants("[stateless]\nunits = [\"web.service\"]\n").unwrap() {
        for granted in grant.entries() {
            writeln!(text, "{:<6} {}\n       {}", grant.target, granted.action.id, granted.action.wire.text()).unwrap();
        }
        for withheld in &grant.withheld {
            let id = &withheld.granted.action.id;
            writeln!(text, "{:<6} WITHHELD {id}\n       {}: {}", grant.target, withheld.rule, withheld.why).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn without_a_gate_nothing_is_changed_and_what_is_withheld_says_so() {
    let all = grants("").unwrap();
    let plain = all.iter().find(|grant| grant.target.as_str() == "plain").unwrap();
    assert_eq!(ids(plain), ["files.read:/etc/meddled"]);
    assert!(plain.withheld.iter().all(|withheld| withheld.why.contains("no gate")));
    let why = plain.withheld_reason(Verb::FilesChangeWrite, Some("file")).unwrap();
    assert!(why.starts_with("withheld by fleet.toml:"), "{why}");
}

#[test]
fn never_rules_see_through_changes() {
    for (rule, gone) in [
        ("units = [\"web*\"]", "web.service"),
        ("files = [\"/etc/medd*\"]", "/etc/meddled"),
        ("objects = [\"podman/*\"]", "podman/"),
        ("objects = [\"role\"]", "role#"),
        ("objects = [\"*psql\"]", "role#"),
        ("verbs = [\"files-change.*\"]", "files-change."),
        ("verbs = [\"services-change.restart\"]", "services-change.restart"),
    ] {
        let grant = gated(&format!(
            "[stateless]\nunits = [\"web.service\", \"db.service\"]\ncontainers = [\"podman/quote-api\"]\n[[never]]\n{rule}\nwhy = \"w\"\n"
        ));
        assert!(ids(&grant).iter().all(|id| !id.contains(gone)), "{rule}: {:?}", ids(&grant));
        let withheld = grant.withheld.iter().filter(|withheld| withheld.granted.action.id.as_str().contains(gone));
        assert!(withheld.count() > 0, "{rule}");
    }
}

#[test]
fn an_operators_own_bytes_replace_the_authors() {
    let own = gated("").digest();
    let replaced = gated("[[grant]]\ncomponent = \"meddler\"\non = [\"gated\"]\ncontent.wanted = \"mine = yes\\n\"\n");
    let text_and_id = |grant: &Grant| {
        let granted = grant.lookup_with(Verb::FilesChangeWrite, Some("file"), Some("wanted")).unwrap().clone();
        match (&granted.action.wire, &granted.action.literal) {
            (Wire::Change(change), Some(Literal::Change(named))) => (change.text(), named.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(text_and_id(&replaced).0, "write /etc/meddled < \"mine = yes\\n\"");
    assert_ne!(text_and_id(&replaced).1, text_and_id(&gated("")).1, "another text is another action");
    assert_ne!(own, replaced.digest());
}

#[test]
fn a_key_and_a_content_are_looked_up_as_they_are() {
    let grant = gated("");
    let write = |key, content| grant.lookup_with(Verb::FilesChangeWrite, key, content).is_some();
    assert!(write(Some("file"), Some("wanted")));
    for (key, content) in [
        (Some("file"), None),
        (Some("file"), Some("")),
        (Some("file"), Some("line")),
        (Some("file=wanted"), None),
        (Some("/etc/meddled"), Some("wanted")),
        (None, Some("wanted")),
        (Some(""), Some("wanted")),
    ] {
        assert!(!write(key, content), "{key:?} {content:?}");
    }
    assert!(grant.lookup(Verb::FilesChangeWrite, Some("file")).is_none());
    assert!(grant.lookup_with(Verb::FilesRead, Some("file"), Some("wanted")).is_none());
    // A guest sees the object of a slot, and not how it may be changed.
    assert_eq!(grant.slots()["lines"][0].1, "/etc/lines");
}

#[test]
fn fs14_ar09_what_no_change_may_touch_is_reported_where_it_is_bound() {
    for (from, to) in [
        ("bind.file = \"/etc/meddled\"", "bind.file = \"/etc/ssh/sshd_config\""),
        ("bind.lines = \"/etc/lines\"", "bind.lines = \"/etc/cron.d/x\""),
        ("\"db.service\"", "\"nftables.service\""),
    ] {
        let text = include_str!("../../guests/meddler/manifest.toml");
        let manifest = manifest::parse(&Source::embedded("manifest.toml", text)).map_err(rendered).unwrap();
        let fleet =
            fleet::parse(&Source::embedded("fleet.toml", FLEET), Path::new("/"), None).map_err(rendered).unwrap();
        let policy =
            policy::parse(&Source::embedded("policy.toml", &GRANT.replace(from, to))).map_err(rendered).unwrap();
        let library = [(manifest.id.clone(), manifest)].into();
        let mistakes = policy::resolve(&policy, &fleet, &library).map_err(rendered).unwrap_err();
        assert!(mistakes.contains("no change may touch"), "{mistakes}");
    }
    let named = gated_mistakes("[stateless]\nunits = [\"ssh.service\"]\n");
    assert!(named.contains("no change may touch `ssh`"), "{named}");
    let words = "[change-command.x]\ndoes = [\"/usr/bin/systemctl\", \"stop\", \"ssh\"]\nundoes = [\"/bin/true\"]\n\
                 checks = [\"/bin/true\"]\nwhy = \"w\"\n";
    assert!(gated_mistakes(words).contains("no change may touch `ssh`"), "{}", gated_mistakes(words));
    let file = words.replace("\"stop\", \"ssh\"", "\"x\", \"--to=/etc/sudoers.d/x\"");
    assert!(gated_mistakes(&file).contains("no change may touch `/etc/sudo*`"), "{}", gated_mistakes(&file));
}

fn gated_mistakes(more: &str) -> String {
    grants(more).unwrap_err()
}
