//! Anchors on a real sshd and in a real git: a head leaves this machine after each sweep, and a journal that was cut or
//! rewritten does not match the anchors. After a kill at any moment, what is left is whole, or the damage is reported.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bailiwick_journal::{Entry, Journal, Reader};
use bailiwick_tests::fleet::Entry as Target;
use bailiwick_tests::ops::Ops;
use bailiwick_tests::sshd::{Options, Sshd};

use crate::PROGRAM;

/// An account that gets SFTP and nothing else.
fn sftp_only() -> Sshd {
    let config = ["Subsystem sftp internal-sftp", "ForceCommand internal-sftp", "AllowTcpForwarding no"];
    Sshd::start(&Options { config: config.map(str::to_owned).to_vec(), ..Options::default() }).unwrap()
}

/// This machine is checked; `nas` only takes heads.
fn ops(sshd: &Sshd, anchors: &str) -> Ops {
    // Whenever this machine was booted, all is well.
    let policy = format!(
        "[[grant]]\ncomponent = \"uptime\"\non = [\"here\"]\nparam.recent-hours = 0\n\
         [[grant]]\ncomponent = \"memory\"\non = [\"here\"]\n{anchors}"
    );
    let ops = Ops::new(PROGRAM, &[Target::for_sshd("nas", sshd).unwrap()], &[], &policy).unwrap();
    let fleet = fs::read_to_string(ops.path().join("fleet.toml")).unwrap();
    ops.write("fleet.toml", format!("{fleet}\n[targets.here]\nlocal = true\n").as_bytes()).unwrap();
    ops
}

fn git(repository: &Path, words: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(repository).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "--bare"]);
    folder
}

fn verify(ops: &Ops) -> (i32, String) {
    let output = ops.run(&["journal", "verify"]).unwrap();
    // Lines are wrapped.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    (output.code, words(&output.stdout) + &words(&output.stderr))
}

fn last(ops: &Ops) -> u64 {
    Reader::open(&ops.journal()).unwrap().map(|record| record.unwrap().seq).last().unwrap()
}

fn copy(from: &Path, to: &Path) {
    for name in ["journal.jsonl", "head"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[test]
fn jr01_a_journal_that_was_cut_or_rewritten_does_not_fit_its_anchors() {
    let (sshd, there, repository) = (sftp_only(), tempfile::tempdir().unwrap(), repository());
    let file = there.path().join("controller.heads");
    // Existing lines stay.
    fs::write(&file, "# heads of the controller\n").unwrap();
    let anchors = format!(
        "[[anchor]]\ntarget = \"nas\"\nfile = \"{}\"\nwhy = \"a copy\"\n[[anchor]]\ngit = \"{}\"\nwhy = \"another\"\n",
        file.display(),
        repository.path().display()
    );
    let ops = ops(&sshd, &anchors);
    let review = ops.run(&["review"]).unwrap().stdout;
    assert!(review.contains(&format!("anchor nas:{}", file.display())) && review.contains("the operator: a copy"));
    let wire = ops.wire().unwrap();
    let on_wire: Vec<_> = wire.iter().filter(|(target, _)| target == "nas").map(|(_, text)| text.clone()).collect();
    assert_eq!(on_wire, [format!("sftp append {} < \"bailiwick.head/1 SEQ HASH TIME\\n\"", file.display())]);

    for sweeps in 1..=3 {
        let output = ops.run(&["check"]).unwrap();
        assert!(output.code == 0 && !output.stderr.contains("warning"), "{}{}", output.stdout, output.stderr);
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 1 + sweeps, "{text}");
        assert!(text.starts_with("# heads of the controller\nbailiwick.head/1 "), "{text}");
        let lines: Vec<_> = text.lines().skip(1).collect();
        let log = git(repository.path(), &["log", "--reverse", "--format=%s", "bailiwick-journal"]);
        assert_eq!(log.lines().collect::<Vec<_>>(), lines, "one commit each");
        let head = git(repository.path(), &["show", "bailiwick-journal:head"]);
        assert_eq!(head.trim_end(), *lines.last().unwrap());
    }
    git(repository.path(), &["fsck", "--strict"]);
    let newest = last(&ops);
    let (code, text) = verify(&ops);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!("confirms entries 1 to {} (3 heads match)", newest - 1)), "{text}");
    assert!(text.contains(&format!("no anchor covers entries {newest} to {newest}")), "{text}");
    assert!(text.contains("controller.heads: 1 line without a complete head"), "{text}");

    let kept = tempfile::tempdir().unwrap();
    copy(&ops.journal(), kept.path());
    let restore = || copy(kept.path(), &ops.journal());
    // Rewritten from the start, with every hash and `head` right.
    let forged = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(forged.path(), Duration::ZERO).unwrap();
    for record in Reader::open(kept.path()).unwrap().skip(1) {
        journal.append(record.unwrap().entry).unwrap();
    }
    drop(journal);
    copy(forged.path(), &ops.journal());
    let offline = ops.run(&["journal", "verify", "--offline"]).unwrap();
    assert!(offline.code == 0 && offline.stdout.contains("no copy elsewhere"), "{}", offline.stdout);
    let (code, text) = verify(&ops);
    assert_eq!(code, 2, "{text}");
    assert_eq!(text.matches("the journal was rewritten from its start").count(), 2, "by both: {text}");
    restore();
    // Cut at an entry's end, with `head` made to fit.
    let whole = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let few = lines.len() / 2;
    let shorter: String = lines[..few].iter().map(|line| format!("{line}\n")).collect();
    fs::write(ops.journal().join("journal.jsonl"), shorter).unwrap();
    fs::write(ops.journal().join("head"), format!("{few:020} {}\n", &lines[few - 1][..64])).unwrap();
    let (code, text) = verify(&ops);
    assert!(
        code == 2 && text.contains(&format!("the journal ends with entry {few}: the journal's end was cut")),
        "{text}"
    );
    restore();
    // The anchor was cut: one of the two still confirms the journal, and the other is reported.
    fs::write(&file, "").unwrap();
    let (code, text) = verify(&ops);
    assert!(code == 2 && text.contains("the anchor was cut or rewritten"), "{text}");
    assert!(text.contains("confirms no entry") && text.contains("(3 heads match)"), "{text}");
    // In git a branch that was set back is an anchor that was cut.
    git(repository.path(), &["update-ref", "refs/heads/bailiwick-journal", "refs/heads/bailiwick-journal~1"]);
    let (_, text) = verify(&ops);
    assert_eq!(text.matches("the anchor was cut or rewritten").count(), 2, "{text}");
}

/// The account that checks has a key of its own, which cannot write heads; the anchor's key can do nothing else.
#[test]
fn an_anchor_may_have_a_login_of_its_own() {
    let there = tempfile::tempdir().unwrap();
    let key = there.path().join("bw-store");
    let public = bailiwick_tests::sshd::keygen("ed25519", &key).unwrap();
    let authorized = vec![format!("restrict,command=\"internal-sftp\" {public}")];
    let config = vec!["Subsystem sftp /bin/false".to_owned()];
    let sshd = Sshd::start(&Options { authorized, config, ..Options::default() }).unwrap();
    let anchor = |login: &str| {
        format!("[[anchor]]\ntarget = \"nas\"\nfile = \"{}/heads\"\nwhy = \"x\"\n{login}", there.path().display())
    };
    let user = bailiwick_tests::sshd::user().unwrap();
    let ops = ops(&sshd, &anchor(&format!("user = \"{user}\"\nidentity = \"keys/bw-store\"\n")));
    ops.write("keys/bw-store", &fs::read(&key).unwrap()).unwrap();
    fs::set_permissions(ops.path().join("keys/bw-store"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let output = ops.run(&["check"]).unwrap();
    assert!(output.code == 0 && !output.stderr.contains("warning"), "{}", output.stderr);
    assert_eq!(fs::read_to_string(there.path().join("heads")).unwrap().lines().count(), 1);
    assert!(ops.run(&["review"]).unwrap().stdout.contains(&format!("heads as {user}\n")));
    // Without it, the account that checks, which has no SFTP here.
    let policy = fs::read_to_string(ops.path().join("policy.toml")).unwrap();
    let plain: String =
        policy.lines().filter(|line| !line.starts_with("identity")).map(|line| format!("{line}\n")).collect();
    ops.write("policy.toml", plain.as_bytes()).unwrap();
    assert!(ops.run(&["check"]).unwrap().stderr.contains("is not anchored at nas:"));
}

#[test]
fn an_anchor_that_takes_nothing_is_reported_and_the_sweep_counts() {
    let (sshd, there) = (sftp_only(), tempfile::tempdir().unwrap());
    let anchors = format!(
        "[[anchor]]\ntarget = \"nas\"\nfile = \"{0}/no/such/folder\"\nwhy = \"x\"\n\
         [[anchor]]\ngit = \"{0}\"\nwhy = \"no repository\"\n",
        there.path().display()
    );
    let ops = ops(&sshd, &anchors);
    let output = ops.run(&["check"]).unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(
        output.stderr.matches("warning: the journal's head is not anchored at ").count(),
        2,
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("over SFTP: the file does not exist"), "{}", output.stderr);
    assert!(output.stderr.contains("in git: `git rev-parse` failed: fatal: not a git repository"), "{}", output.stderr);
    // The journal records it too.
    let failed = Reader::open(&ops.journal()).unwrap().find_map(|record| match record.unwrap().entry {
        Entry::Anchored { results, .. } => Some(results.values().filter(|why| why.is_some()).count()),
        _ => None,
    });
    assert_eq!(failed, Some(2));
    drop(sshd);
    let output = ops.run(&["check"]).unwrap();
    assert!(output.code == 0 && output.stderr.contains("the target cannot be reached: "), "{}", output.stderr);
    let (code, text) = verify(&ops);
    assert!(code == 4 && text.matches("NOT COMPARED: anchor ").count() == 2, "{text}");
    assert!(text.contains("no copy elsewhere"), "{text}");
}

/// A server that gives its accounts a shell and no SFTP.
#[test]
fn a_target_without_sftp_is_reported() {
    let sshd = Sshd::plain().unwrap();
    let ops = ops(&sshd, "[[anchor]]\ntarget = \"nas\"\nfile = \"/tmp/x\"\nwhy = \"x\"\n");
    let output = ops.run(&["check"]).unwrap();
    assert!(output.stderr.contains("the SSH server does not offer SFTP to this account"), "{}", output.stderr);
}

/// A server whose SFTP is this program, and this machine with an anchor there.
fn served_by(subsystem: &str, file: &Path) -> (Sshd, Ops) {
    let config = vec![format!("Subsystem sftp {subsystem}")];
    let sshd = Sshd::start(&Options { config, ..Options::default() }).unwrap();
    let anchor = format!("[[anchor]]\ntarget = \"nas\"\nfile = \"{}\"\nwhy = \"x\"\n", file.display());
    let ops = ops(&sshd, &anchor);
    (sshd, ops)
}

#[test]
fn an_anchor_is_opened_to_append_and_nothing_else_is_asked_for() {
    let there = tempfile::tempdir().unwrap();
    let log = there.path().join("log");
    // sshd hands the line to a shell.
    let server = format!("/usr/lib/openssh/sftp-server -e -l VERBOSE 2>>{}", log.display());
    let (_sshd, ops) = served_by(&server, &there.path().join("heads"));
    assert_eq!(ops.run(&["check"]).unwrap().code, 0);
    let log_text = fs::read_to_string(&log).unwrap();
    let asked: Vec<_> = log_text.lines().filter(|line| line.contains("heads\"")).collect();
    let (opened, closed) = (asked[0], asked[asked.len() - 1]);
    assert!(opened.contains("flags WRITE,APPEND,CREATE mode"), "{log_text}");
    assert!(closed.starts_with("close ") && closed.contains("bytes read 0 written 1"), "{log_text}");
    for other in ["remove", "rename", "truncate", "set ", "mkdir", "symlink", "posix-rename", "TRUNCATE"] {
        assert!(!log_text.contains(other), "{other}: {log_text}");
    }
}

#[test]
fn tg01_a_server_that_speaks_something_else_costs_its_anchor_and_nothing_more() {
    let there = tempfile::tempdir().unwrap();
    for nonsense in ["/bin/cat", "/usr/bin/yes", "/bin/false", "/bin/echo hello", "head -c 9 /dev/zero"] {
        let (_sshd, ops) = served_by(nonsense, &there.path().join("heads"));
        let begun = std::time::Instant::now();
        let output = ops.run(&["check"]).unwrap();
        assert_eq!(output.code, 0, "{nonsense}: {}", output.stderr);
        assert_eq!(output.stderr.matches("is not anchored at nas:").count(), 1, "{nonsense}: {}", output.stderr);
        assert!(begun.elapsed() < Duration::from_secs(40), "{nonsense}");
        assert_eq!(ops.run(&["journal", "verify", "--offline"]).unwrap().code, 0);
    }
}

/// Starts a sweep and kills it after a while, as `kill -9` does, without a handler.
fn killed_after(ops: &Ops, after: Duration) -> bool {
    let mut child = ops.command(&["check"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

#[test]
fn killed_at_any_time_what_is_left_is_whole_or_reported() {
    let (sshd, there, repository) = (sftp_only(), tempfile::tempdir().unwrap(), repository());
    let file = there.path().join("heads");
    let anchors = format!(
        "[[anchor]]\ntarget = \"nas\"\nfile = \"{}\"\nwhy = \"x\"\n[[anchor]]\ngit = \"{}\"\nwhy = \"x\"\n\
         [retention]\nbytes = 1\n",
        file.display(),
        repository.path().display()
    );
    let ops = ops(&sshd, &anchors);
    let begun = std::time::Instant::now();
    assert_eq!(ops.run(&["check"]).unwrap().code, 0);
    let whole = begun.elapsed();
    let (rounds, mut killed) = (24, 0);
    for round in 0..rounds {
        killed += usize::from(killed_after(&ops, whole * round / rounds));
        // What it left is noticed by the next, which goes on.
        let (code, text) = verify(&ops);
        assert!(code == 0 || code == 2 && text.contains("is incomplete"), "after {round}: {text}");
        assert!(!text.contains("evidence") || !text.contains("BROKEN: entry"), "named before it was there: {text}");
        if round % 6 == 5 {
            // A pruning, killed as well; what it recorded is reported as pruned, and the rest still exists.
            let mut child =
                ops.command(&["journal", "prune"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(4 * u64::from(round)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    assert!(killed > 5, "only {killed} of {rounds} were killed in time");
    let output = ops.run(&["check"]).unwrap();
    assert!(output.code == 0 && !output.stderr.contains("not anchored"), "{}", output.stderr);
    let (code, text) = verify(&ops);
    assert_eq!(code, 0, "{text}");
    assert_eq!(ops.run(&["replay", "--last"]).unwrap().code, 0);
    git(repository.path(), &["fsck", "--strict"]);
    assert!(!ops.journal().join("evidence").read_dir().unwrap().flatten().any(|entry| {
        entry.file_name().to_string_lossy().starts_with("new-") && entry.metadata().unwrap().len() > 1 << 20
    }));
}

#[test]
fn retention_removes_what_policy_allows_and_records_it() {
    let sshd = sftp_only();
    let ops = ops(&sshd, "");
    ops.check(&[]).unwrap();
    let none = ops.run(&["journal", "prune"]).unwrap();
    assert!(none.code == 2 && none.stderr.contains("policy.toml has no [retention]"), "{}", none.stderr);
    let policy = fs::read_to_string(ops.path().join("policy.toml")).unwrap();
    ops.write("policy.toml", format!("{policy}[retention]\ndays = 30\n").as_bytes()).unwrap();
    let young = ops.run(&["journal", "prune"]).unwrap();
    assert!(young.code == 0 && young.stdout.starts_with("0 evidence files (0 bytes) removed"), "{}", young.stdout);

    ops.write("policy.toml", format!("{policy}[retention]\nbytes = 1\n").as_bytes()).unwrap();
    let files = || -> Vec<PathBuf> {
        let folders = ops.journal().join("evidence").read_dir().unwrap().flatten();
        folders.flat_map(|folder| folder.path().read_dir().unwrap().flatten().map(|file| file.path())).collect()
    };
    let (there, entries) = (files().len(), last(&ops));
    assert!(there >= 2, "components, and answers that are large");
    let dry = ops.run(&["journal", "prune", "--dry-run"]).unwrap();
    assert!(
        dry.stdout.starts_with(&format!("{there} evidence files (")) && dry.stdout.contains(") would be removed, ")
    );
    assert_eq!((files().len(), last(&ops)), (there, entries), "nothing is done");
    let done = ops.run(&["journal", "prune"]).unwrap();
    assert!(
        done.stdout.contains(") removed, last named ") && done.stdout.contains("by bytes = 1 (policy.toml:"),
        "{}",
        done.stdout
    );
    assert_eq!((files().len(), last(&ops)), (0, entries + 1));
    let (code, text) = verify(&ops);
    assert!(code == 0 && text.contains(&format!("0 evidence files unchanged; {there} pruned")), "{text}");
    let output = ops.run(&["replay", "2"]).unwrap();
    assert!(output.code == 4 && output.stdout.contains("was pruned (entry "), "{}", output.stdout);
    let run = Reader::open(&ops.journal()).unwrap().find_map(|record| {
        let record = record.unwrap();
        matches!(&record.entry, Entry::RunStarted(start) if start.component.as_str() == "memory").then_some(record.seq)
    });
    let shown = ops.run(&["journal", "show", &run.unwrap().to_string()]).unwrap();
    assert!(shown.stdout.contains("NOT SHOWN: evidence "), "{}", shown.stdout);
    // The next sweep keeps again what it needs.
    ops.check(&[]).unwrap();
    assert_eq!(ops.run(&["replay", "--last"]).unwrap().code, 0);
}
