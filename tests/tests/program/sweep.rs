//! `bailiwick check` on real sshd: what is requested, what is refused, what reaches the wire.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bailiwick_tests::fleet::{Entry, never};
use bailiwick_tests::listeners::{Silent, closed_port};
use bailiwick_tests::ops::{Ops, SLOTLESS, slotless, target_result};
use bailiwick_tests::sshd::{Options, Sshd};

use crate::PROGRAM;

fn servers(count: usize, options: &Options) -> Vec<(String, Sshd)> {
    (0..count).map(|n| (format!("host{n}"), Sshd::start(options).unwrap())).collect()
}

fn entries(servers: &[(String, Sshd)]) -> Vec<Entry> {
    servers.iter().map(|(name, sshd)| Entry::for_sshd(name, sshd).unwrap().with("tags", "[\"linux\"]")).collect()
}

/// Every granted probe has run there, and reported something or the reason why not.
fn assert_full(sweep: &serde_json::Value, target: &str) {
    let result = target_result(sweep, target).unwrap();
    assert_eq!(result["kind"], "runs", "{target}: {result}");
    let components: Vec<_> =
        result["runs"].as_array().unwrap().iter().map(|run| run["component"].as_str().unwrap()).collect();
    assert_eq!(components, *SLOTLESS, "{target}");
    for run in result["runs"].as_array().unwrap() {
        let kind = run["outcome"]["kind"].as_str().unwrap();
        assert!(kind == "report" || run["outcome"]["error"] == "unsupported", "{target}: {run}");
    }
}

#[test]
fn ten_targets_of_which_one_is_down_and_one_is_silent() {
    let servers = servers(8, &Options::default());
    let mut targets = entries(&servers);
    let (down, silent) = (closed_port().unwrap(), Silent::start().unwrap());
    for (name, address) in [("down", down), ("silent", silent.address())] {
        // Any pin: neither gets as far as showing a key.
        let entry = Entry::at(name, address, &servers[0].1.user_key()).unwrap();
        let pin = Sshd::plain().unwrap().host_key("ed25519").unwrap().to_owned();
        targets.push(entry.text("host-key", &pin).with("tags", "[\"linux\"]"));
    }
    let ops = Ops::new(PROGRAM, &targets, &[], &slotless(&["tag:linux"])).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 4);
    for (name, _) in &servers {
        assert_full(&sweep, name);
    }
    let down = target_result(&sweep, "down").unwrap();
    assert_eq!(down["kind"], "unreachable");
    assert!(down["cause"].as_str().unwrap().starts_with("connection refused ("), "{down}");
    let silent = target_result(&sweep, "silent").unwrap();
    assert_eq!(silent["kind"], "unreachable");
    assert!(silent["cause"].as_str().unwrap().contains("handshake"), "{silent}");

    let table = ops.run(&["check", "--connect-timeout", "2"]).unwrap();
    assert_eq!(table.code, 4);
    assert!(table.stdout.contains("unreachable  down"), "{}", table.stdout);
    assert!(table.stdout.lines().last().unwrap_or_default().len() <= 80);
    assert!(table.stdout.lines().all(|line| line.len() <= 80), "{}", table.stdout);
    assert!(table.stdout.contains("8 healthy") || table.stdout.contains("with findings"), "{}", table.stdout);
}

#[test]
fn silent_targets_wait_side_by_side() {
    let silent: Vec<_> = (0..6).map(|_| Silent::start().unwrap()).collect();
    let key = Sshd::plain().unwrap();
    let targets: Vec<_> = silent
        .iter()
        .enumerate()
        .map(|(n, silent)| {
            let pin = Sshd::plain().unwrap().host_key("ed25519").unwrap().to_owned();
            Entry::at(&format!("silent{n}"), silent.address(), &key.user_key()).unwrap().text("host-key", &pin)
        })
        .collect();
    let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
    let ops = Ops::new(PROGRAM, &targets, &[], &slotless(&names)).unwrap();
    let begun = Instant::now();
    let (code, sweep) = ops.check(&["--connect-timeout", "10"]).unwrap();
    // One after the other they would take a minute.
    assert!(begun.elapsed() < Duration::from_secs(40));
    assert_eq!((code, sweep["summary"]["targets"]["unseen"].as_u64()), (4, Some(6)));
}

#[test]
fn what_reaches_a_target_stands_in_the_review() {
    let options = Options { log_wire: true, ..Options::default() };
    let servers = servers(2, &options);
    let mut targets = entries(&servers);
    let never = [never("fw01", &[("addresses", "[\"127.99.0.1\"]")])];
    targets.push(Entry::at("fw01", "127.99.0.1:22".parse().unwrap(), &servers[0].1.user_key()).unwrap());
    let policy = slotless(&["tag:linux", "fw01"])
        + "[[grant]]\ncomponent = [\"service\", \"log-errors\"]\non = [\"tag:linux\"]\nbind.unit = \"ssh.service\"\n\
           [[grant]]\ncomponent = \"file-freshness\"\non = [\"host0\"]\nbind.file = \"/etc/hostname\"\n\
           [[never]]\nverbs = [\"system.logins\"]\nwhy = \"who is here is not for components\"\n";
    let ops = Ops::new(PROGRAM, &targets, &never, &policy).unwrap();
    let wire = ops.wire().unwrap();
    let (code, _) = ops.check(&["--target", "host0", "--target", "host1"]).unwrap();
    assert!(code == 0 || code == 1 || code == 4, "{code}");
    for (name, sshd) in &servers {
        let seen: BTreeSet<_> = sshd.wire().unwrap().into_iter().map(|text| (name.clone(), text)).collect();
        assert!(seen.len() >= 8, "the server has seen {} strings", seen.len());
        let unlisted: Vec<_> = seen.difference(&wire).collect();
        assert!(unlisted.is_empty(), "{unlisted:?} is not in review --wire");
        assert!(!seen.iter().any(|(_, text)| text.ends_with(" who")), "a never-rule is subtracted");
        // Ten components and fewer requests: a request of two components is sent once.
        assert_eq!(sshd.wire().unwrap().len(), seen.len(), "no question is asked twice in a sweep");
    }
    // The review names them all, literally, and the rule that takes one away.
    let review = ops.run(&["review", "host0"]).unwrap().stdout;
    for (_, text) in wire.iter().filter(|(name, _)| name == "host0") {
        let program = text.split("TZ=UTC ").nth(1).unwrap();
        assert!(review.contains(program), "{program} is not in\n{review}");
    }
    assert!(review.contains("system.logins  WITHHELD") && review.contains("not for components"), "{review}");
    assert!(wire.iter().all(|(name, _)| name != "fw01"), "nothing can be sent to a never-host");
}

#[test]
fn a_never_host_sees_no_connection_however_it_is_named() {
    let firewall = Silent::start().unwrap();
    let here = Sshd::plain().unwrap();
    let address = firewall.address();
    let to_it = |name: &str| {
        let pin = Sshd::plain().unwrap().host_key("ed25519").unwrap().to_owned();
        Entry::at(name, address, &here.user_key()).unwrap().text("host-key", &pin).with("tags", "[\"linux\"]")
    };
    let behind = Entry::for_sshd("behind", &here).unwrap().text("jump", "gateway").with("tags", "[\"linux\"]");
    let targets = [to_it("fw01"), to_it("gateway"), behind];
    let addresses = format!("[\"{}\"]", address.ip());
    let ops = Ops::new(
        PROGRAM,
        &targets,
        &[never("fw01", &[("addresses", &addresses)])],
        &slotless(&["fw01", "tag:linux", "gateway"]),
    )
    .unwrap();
    for args in [&[][..], &["--target", "fw01"], &["--target", "gateway"], &["--target", "behind"]] {
        let (code, sweep) = ops.check(args).unwrap();
        assert_eq!(code, 3, "{args:?}: {sweep}");
        for target in sweep["targets"].as_array().unwrap() {
            assert_eq!(target["result"]["kind"], "refused", "{target}");
            assert!(
                target["result"]["cause"]
                    .as_str()
                    .or(target["result"]["rule"].as_str())
                    .unwrap()
                    .contains("never-host fw01"),
                "{target}"
            );
        }
    }
    assert_eq!(firewall.count(), 0);
    assert_eq!(here.connections().unwrap(), 0);
    // A grant may name a never-host that is not a target at all.
    let ops = Ops::new(PROGRAM, &[], &[never("fw01", &[("addresses", &addresses)])], &slotless(&["fw01"])).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!((code, target_result(&sweep, "fw01").unwrap()["kind"].as_str()), (3, Some("refused")));
    assert_eq!(ops.run(&["review", "fw01"]).unwrap().code, 3);
    assert_eq!(firewall.count(), 0);
}

#[test]
fn a_never_host_under_another_address_is_known_by_its_key_before_any_login() {
    let firewall = Sshd::plain().unwrap();
    let key = format!("{:?}", firewall.host_key("ed25519").unwrap());
    let other = Sshd::plain().unwrap();
    // Pinned as another host; the server shows the firewall's key.
    let target = Entry::for_sshd("db01", &firewall).unwrap().text("host-key", other.host_key("ed25519").unwrap());
    let ops = Ops::new(PROGRAM, &[target], &[never("fw01", &[("host-key", &key)])], &slotless(&["db01"])).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 3, "{sweep}");
    assert_eq!(target_result(&sweep, "db01").unwrap()["kind"], "refused");
    let log = firewall.log().unwrap();
    assert!(firewall.connections().unwrap() >= 1, "it was reached, and recognised: {log}");
    assert!(!log.contains("Accepted") && !log.contains("userauth") && !log.contains("Failed"), "{log}");
}

#[test]
fn a_wrong_other_or_missing_pin_is_refused_with_the_next_step() {
    let sshd = Sshd::start(&Options { host_keys: vec!["ecdsa"], ..Options::default() }).unwrap();
    let key = sshd.user_key();
    let at = |name: &str| Entry::at(name, sshd.address(), &key).unwrap();
    let stranger = Sshd::start(&Options { host_keys: vec!["ecdsa", "ed25519"], ..Options::default() }).unwrap();
    let targets = [
        at("mismatch").text("host-key", stranger.host_key("ecdsa").unwrap()),
        at("algorithm").text("host-key", stranger.host_key("ed25519").unwrap()),
        at("unpinned"),
    ];
    let ops = Ops::new(PROGRAM, &targets, &[], &slotless(&["mismatch", "algorithm", "unpinned"])).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 4);
    for (name, says, hint) in [
        ("mismatch", "SHA256:", "compare the fingerprint with the one on its console"),
        ("algorithm", "ssh-ed25519", "pin"),
        ("unpinned", "no host key is pinned", "fleet import"),
    ] {
        let result = target_result(&sweep, name).unwrap();
        assert_eq!(result["kind"], "unreachable", "{result}");
        assert!(result["cause"].as_str().unwrap().contains(says), "{result}");
        assert!(result["hint"].as_str().unwrap().contains(hint), "{result}");
    }
    assert!(!sshd.log().unwrap().contains("Accepted"));
}

#[test]
fn a_never_host_pinned_by_another_of_its_keys_is_left_before_anything_is_run() {
    let options = Options { host_keys: vec!["ecdsa", "ed25519"], log_wire: true, ..Options::default() };
    let firewall = Sshd::start(&options).unwrap();
    let keys = |kind: &str| format!("{:?}", firewall.host_key(kind).unwrap());
    let target = Entry::for_sshd("db01", &firewall).unwrap().text("host-key", firewall.host_key("ecdsa").unwrap());
    // Only one of its keys is listed: sshd shows the other one after the login.
    let one = never("fw01", &[("host-keys", &format!("[{}]", keys("ed25519")))]);
    let ops = Ops::new(PROGRAM, std::slice::from_ref(&target), &[one], &slotless(&["db01"])).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!((code, target_result(&sweep, "db01").unwrap()["kind"].as_str()), (3, Some("refused")), "{sweep}");
    assert!(firewall.wire().unwrap().is_empty(), "{:?}", firewall.wire());
    // Both listed: no connection at all.
    let connections = firewall.connections().unwrap();
    let both = never("fw01", &[("host-keys", &format!("[{}, {}]", keys("ed25519"), keys("ecdsa")))]);
    let ops = Ops::new(PROGRAM, &[target], &[both], &slotless(&["db01"])).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!((code, target_result(&sweep, "db01").unwrap()["kind"].as_str()), (3, Some("refused")), "{sweep}");
    assert_eq!(firewall.connections().unwrap(), connections);
}
