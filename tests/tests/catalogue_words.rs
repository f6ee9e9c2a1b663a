//! The catalogue's rows about words (threats.md 2.5, 2.6: AR, and those of FS that are about names): what is not plain
//! is refused when the file loads, and what is left of a template gives no room for a second meaning.
//!
//! A guest has no string to put on a wire at all: `ar17_…` holds the contract against that.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bailiwick_core::fleet;
use bailiwick_core::model::{ComponentId, Effect, Literal, Object, SlotName, TargetName, Verb, Wire};
use bailiwick_core::source::{Problems, Source};
use bailiwick_core::verbs::{PREFIX, Part, Tier, action, spec, with};
use bailiwick_policy::library::Library;
use bailiwick_policy::policy;
use bailiwick_tests::fleet::text;
use bailiwick_tests::listeners::Silent;
use bailiwick_tests::ops::Ops;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bailiwick");

/// What a policy is told that binds this unit and this file on a target; empty if nothing is wrong.
fn told(unit: &str, file: &str) -> Vec<String> {
    let fleet = Source::embedded("fleet.toml", "[targets.here]\nlocal = true\n");
    let bind = |component: &str, slot: &str, value: &str| {
        format!("[[grant]]\ncomponent = {component:?}\non = [\"here\"]\nbind.{slot} = {}\n", text(value))
    };
    let policy = bind("service", "unit", unit) + &bind("file-freshness", "file", file);
    let found = || -> Result<(), Problems> {
        let fleet = fleet::parse(&fleet, Path::new("/"), None)?;
        let policy = policy::parse(&Source::embedded("policy.toml", &policy))?;
        policy::resolve(&policy, &fleet, &Library::built_in().unwrap().manifests).map(drop)
    };
    found().err().map(|problems| problems.0.iter().map(|problem| problem.render(false)).collect()).unwrap_or_default()
}

/// Both bindings are refused, each at its line, and nothing of it can be parsed by another way.
fn refused(unit: &str, file: &str) -> Result<()> {
    let told = told(unit, file);
    ensure!(told.len() == 2, "{unit:?} and {file:?}: {told:?}");
    ensure!(told.iter().all(|text| text.contains("--> policy.toml:")), "{told:?}");
    ensure!(told.iter().all(|text| !text.chars().any(|c| c.is_control() && c != '\n')), "{told:?}");
    ensure!(Literal::parse(Object::Unit, unit).is_err() && Literal::parse(Object::Path, file).is_err());
    Ok(())
}

/// A value as the whole, at the beginning, in the middle and at the end of a unit and of a path.
fn refused_anywhere(value: &str) -> Result<()> {
    refused(value, value)?;
    refused(&format!("{value}.service"), &format!("/{value}"))?;
    refused(&format!("a{value}b.service"), &format!("/srv/a{value}b/c"))?;
    refused(&format!("a.service{value}"), &format!("/srv/a{value}"))
}

#[test]
fn what_is_plain_is_bound() {
    assert_eq!(told("nginx.service", "/etc/hostname"), Vec::<String>::new());
}

/// What a shell reads as more than a letter.
const SHELL: &[&str] = &[
    "; id",
    ";id",
    "$(id)",
    "`id`",
    "|id",
    "&&id",
    "&",
    ">x",
    "<x",
    ">>x",
    "${IFS}",
    "$IFS",
    "\n id",
    "\r\nid",
    "'",
    "\"",
    "\\",
    "!",
    "!!",
    "#",
    "(",
    ")",
    "{a,b}",
    "\u{a0}",
    "\u{2009}",
    " ",
    "\t",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "^",
    "[a]",
    "*",
    "?",
    "~",
    "a b",
    "\u{feff}",
];

#[test]
fn ar01_what_a_shell_reads_is_no_literal() -> Result<()> {
    for value in SHELL {
        refused_anywhere(value).with_context(|| format!("{value:?}"))?;
    }
    // The program says so, does nothing else, and nothing has run.
    let (silent, scratch) = (Silent::start()?, tempfile::tempdir()?);
    let pwn = scratch.path().join("pwn");
    let target = bailiwick_tests::fleet::Entry::at("db01", silent.address(), Path::new("/nonexistent"))?;
    for value in [format!("a;touch {}", pwn.display()), format!("$(touch {})", pwn.display())] {
        let policy = format!(
            "[[grant]]\ncomponent = \"service\"\non = [\"db01\"]\nbind.unit = {}\n",
            text(&format!("{value}.service"))
        );
        let ops = Ops::new(PROGRAM, std::slice::from_ref(&target), &[], &policy)?;
        for command in [&["check"][..], &["review"], &["review", "--wire"]] {
            let said = ops.run(command)?;
            ensure!(said.code == 2 && said.stdout.is_empty(), "{command:?}: {}{}", said.stdout, said.stderr);
            ensure!(said.stderr.contains("policy.toml:4"), "{}", said.stderr);
        }
        ensure!(!ops.journal().exists(), "something was begun");
    }
    ensure!(silent.count() == 0 && !pwn.exists());
    Ok(())
}

/// Every verb on two literals with all the characters that literals may have.
fn wires() -> Vec<Vec<String>> {
    let units = ["a@b.service", "x_y:z,w=v+u%t-1.timer"];
    let paths = ["/srv/%h/a=b+c,d:e@f-g_h.i", "/a/b@c"];
    let mut all = Vec::new();
    for verb in with(Effect::Observe) {
        let literals: Vec<Option<Literal>> = match spec(verb).object {
            Object::None => vec![None],
            object @ Object::Unit => units.iter().map(|text| Literal::parse(object, text).ok()).collect(),
            object @ Object::Path => paths.iter().map(|text| Literal::parse(object, text).ok()).collect(),
            object => vec![Literal::example(object)],
        };
        for literal in literals {
            if let Wire::Exec(words) | Wire::Fed { words, .. } = action(verb, literal, Tier::Plain).wire {
                all.push(words);
            }
        }
    }
    all
}

#[test]
fn ar02_every_shell_reads_the_same_words() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let (print, out) = (scratch.path().join("env"), scratch.path().join("out"));
    fs::write(&print, format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {}\n", out.display()))?;
    fs::set_permissions(&print, PermissionsExt::from_mode(0o755))?;
    let mut shells = 0;
    for shell in ["sh", "dash", "bash", "zsh", "fish", "tcsh", "csh", "ksh", "mksh", "busybox sh", "bash --posix"] {
        let (program, option) = shell.split_once(' ').unwrap_or((shell, ""));
        let Some(path) = ["/bin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(program)).find(|path| path.exists())
        else {
            continue;
        };
        shells += 1;
        for words in wires() {
            let (first, rest) = words.split_first().context("no words")?;
            assert_eq!(first, "/usr/bin/env");
            // The program's place is taken by one that writes its arguments down; what the shell makes of the rest counts.
            let line = format!("{} {}", print.display(), rest.join(" "));
            let mut command = Command::new(&path);
            command.args((!option.is_empty()).then_some(option)).arg("-c").arg(&line);
            // A folder whose names a pattern would find.
            let status = command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(scratch.path()).status()?;
            ensure!(status.success(), "{shell}: {line}: {status}");
            let read: Vec<String> = fs::read_to_string(&out)?.lines().map(str::to_owned).collect();
            ensure!(read == rest, "{shell} made {read:?} of {rest:?}");
        }
    }
    ensure!(shells >= 3, "only {shells} shells are here");
    // Those that run no command say so, by a status that no reader takes for an answer.
    for shell in ["/bin/rbash", "/usr/sbin/nologin", "/bin/false"] {
        if !Path::new(shell).exists() {
            continue;
        }
        for words in wires() {
            let status = Command::new(shell).arg("-c").arg(words.join(" ")).output()?.status;
            ensure!(!status.success(), "{shell} ran {words:?}");
        }
    }
    Ok(())
}

#[test]
fn ar03_no_literal_is_an_option() -> Result<()> {
    for value in
        ["-", "--", "-x", "-oProxyCommand=id", "--file=/etc/shadow", "-rf", "=ls", "+x", "@x", "%x", ":x", ",x"]
    {
        refused(&format!("{value}.service"), value)?;
        refused(value, &format!("{value}/x"))?;
    }
    // Where a literal is a word of its own it begins with a letter, a digit, `_`, `.` or `/`: no program takes that for an
    // option. Where it is the end of one, it cannot begin another.
    for &verb in Verb::ALL {
        let holes: Vec<_> = spec(verb).template().iter().collect();
        for hole in holes {
            if let Part::Option(option) | Part::OptionField(option, _) = hole {
                ensure!(option.starts_with('-') && option.ends_with('='), "{verb}: {option}");
            }
        }
    }
    Ok(())
}

/// The programs that templates start.
fn programs() -> BTreeMap<&'static str, Vec<(Verb, Vec<&'static str>)>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for &verb in Verb::ALL {
        let fixed = spec(verb).template().iter().enumerate().filter_map(|(at, part)| match part {
            Part::Word(word) | Part::Option(word) | Part::OptionField(word, _) => Some(*word),
            // The runtime of a container, which takes the same words whichever it is.
            Part::Object | Part::Field(_) if at == 0 => Some("podman"),
            Part::Object | Part::Field(_) => None,
        });
        let words: Vec<_> = fixed.collect();
        // Variables, which `env` sets.
        let words: Vec<_> = words.into_iter().skip_while(|word| !word.starts_with('-') && word.contains('=')).collect();
        let Some((program, options)) = words.split_first() else { continue };
        all.entry(*program).or_default().push((verb, options.to_vec()));
    }
    all
}

/// Programs that start others, interpret, page, send or change: those of GTFOBins with `shell`, `command`, `file-write`,
/// `upload` or `library-load`, that a template could be tempted to use.
const NEVER_PROGRAMS: &str = "sh bash dash zsh fish ksh tcsh csh rbash busybox env nice nohup timeout xargs find parallel \
    watch time strace ltrace gdb setsid stdbuf unshare nsenter chroot su sudo doas runuser setpriv systemd-run at crontab \
    awk gawk mawk nawk sed ed ex vi vim nano emacs less more most man pager perl python python3 ruby lua node php tclsh \
    expect jjs m4 make cmake gcc cc git svn hg tar zip unzip cpio rsync scp sftp ssh ftp lftp telnet nc ncat socat curl \
    wget aria2c openssl gpg tee dd cp mv install ln rm chmod chown mount umount tcpdump tshark nmap docker podman kubectl \
    ctr crictl ip ss date dmesg sysctl iptables nft ufw firewall-cmd reboot shutdown halt poweroff kill pkill psql mysql \
    sqlite3 redis-cli apt dpkg rpm yum snap pip npm cargo tail cat sort uniq cut tr base64 xxd od strings";

/// Of these, what has had a look: its words are those of `ar11_…`, and only policy names a container or a database.
const LOOKED_AT: [&str; 5] = ["awk", "date", "openssl", "podman", "psql"];

#[test]
fn ar05_no_template_starts_a_program_that_starts_another() {
    let never: BTreeSet<&str> = NEVER_PROGRAMS.split_whitespace().collect();
    let programs = programs();
    let bad = |program: &str| never.contains(program) && !LOOKED_AT.contains(&program) || program.contains('/');
    let found: Vec<_> = programs.keys().filter(|program| bad(program)).collect();
    assert!(found.is_empty(), "{found:?}");
    let options = ["exec", "command", "checkpoint", "rsh", "-I", "-e/", "--to-", "shell", "pre", "hook"];
    // `-I` is tar's; date has one word, which ar15 looks at.
    for (program, uses) in programs.iter().filter(|(program, _)| **program != "date") {
        for (verb, words) in uses {
            let bad: Vec<_> =
                words.iter().filter(|word| options.iter().any(|o| word.starts_with('-') && word.contains(o))).collect();
            assert!(bad.is_empty(), "{verb}: {program} {bad:?}");
        }
    }
}

#[test]
fn ar06_the_programs_are_these() {
    // Each reads, ends by itself and starts nothing. A new one is a line here, and a look at what else it can.
    let expected = [
        "apt-get",
        "awk",
        "date",
        "df",
        "grep",
        "head",
        "journalctl",
        "openssl",
        "podman",
        "psql",
        "stat",
        "systemctl",
        "timedatectl",
        "who",
    ];
    assert_eq!(programs().into_keys().collect::<Vec<_>>(), expected);
    assert_eq!(PREFIX[..2], ["/usr/bin/env", "-i"], "the one that starts them");
    // What changes something is said by the gate, which starts its own programs.
    assert!(with(Effect::Change).all(|verb| spec(verb).template().is_empty()));
}

#[test]
fn ar07_systemctl_shows_and_lists_without_a_pager() {
    for program in ["systemctl", "timedatectl", "journalctl"] {
        for (verb, words) in &programs()[program] {
            let command = words.iter().find(|word| !word.starts_with('-'));
            let allowed = match program {
                "systemctl" => matches!(command, Some(&("show" | "list-units"))),
                "timedatectl" => command == Some(&"show"),
                _ => command.is_none(),
            };
            assert!(allowed, "{verb}: {words:?}");
            // `show` of timedatectl is made for programs and starts no pager.
            assert!(words.contains(&"--no-pager") || program == "timedatectl", "{verb}: {words:?}");
        }
    }
    // No variable of anybody's (SYSTEMD_EDITOR, SYSTEMD_PAGER, LESSOPEN) reaches it.
    assert!(
        PREFIX.iter().skip(2).all(|word| ["PATH=", "LC_ALL=C", "TZ=UTC"].iter().any(|start| word.starts_with(start)))
    );
}

#[test]
fn ar10_journalctl_reads_its_own_journal_and_ends() {
    let allowed = [
        "--no-pager",
        "--output=json",
        "--output-fields=",
        "--priority=",
        "--since=-24h",
        "--since=-8d",
        "--lines=1000",
        "--lines=1001",
        "--unit=",
    ];
    for (verb, words) in &programs()["journalctl"] {
        for word in words {
            assert!(allowed.iter().any(|start| word.starts_with(start)), "{verb}: {word}");
        }
        assert!(words.iter().any(|word| ["--lines=1000", "--lines=1001"].contains(word)), "{verb} has an end");
    }
}

/// `psql` can start a shell and write files, by its own commands: what it reads holds none but two that set how it prints.
#[test]
fn ar11_psql_reads_what_the_table_says_and_no_command_of_its_own() {
    for verb in Verb::ALL.iter().filter(|verb| verb.interface() == "postgres") {
        let Wire::Fed { words, stdin } = action(*verb, Literal::example(spec(*verb).object), Tier::Plain).wire else {
            panic!("{verb} is said to psql");
        };
        assert!(words.contains(&"--no-psqlrc".to_owned()) && words.contains(&"--file=-".to_owned()), "{verb}");
        let own: Vec<_> = stdin.split('\\').skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
        let described =
            if *verb == Verb::PostgresQuery { &["pset", "t'", "pset", "gdesc"][..] } else { &["pset", "t'", "pset"] };
        assert_eq!(own, described, "{verb}: {stdin}");
    }
}

/// `awk` is a language: its program is one word of ours, and what it reads is a path, which it cannot take for anything else.
/// `openssl` is many programs: one of them, with an input that has ended.
#[test]
fn ar11_awk_prints_certificates_and_openssl_shakes_hands() {
    let certificates = &programs()["awk"];
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0].1, ["/BEGIN.CERTIFICATE/,/END.CERTIFICATE/"]);
    for (verb, words) in &programs()["openssl"] {
        assert_eq!(words[0], "s_client", "{verb}");
        let allowed = ["-host=", "-port=", "-servername=", "-verify_hostname=", "-showcerts"];
        assert!(words[1..].iter().all(|word| allowed.contains(word)), "{verb}: {words:?}");
        let Wire::Fed { stdin, .. } = action(*verb, Literal::example(spec(*verb).object), Tier::Plain).wire else {
            panic!("{verb} would wait for its input");
        };
        assert_eq!(stdin, "");
    }
}

#[test]
fn ar11_a_container_engine_is_asked_three_things() -> Result<()> {
    let expected = [
        "container inspect NAME",
        "container logs --timestamps --since=24h --tail=1000 NAME",
        "ps --all --no-trunc --format json",
    ];
    for runtime in ["podman", "docker"] {
        let mut said = BTreeSet::new();
        for verb in with(Effect::Observe) {
            let text = match spec(verb).object {
                Object::Runtime => runtime.to_owned(),
                Object::Container => format!("{runtime}/NAME"),
                _ => continue,
            };
            let literal = Literal::parse(spec(verb).object, &text)?;
            let Wire::Exec(words) = action(verb, Some(literal), Tier::Plain).wire else { anyhow::bail!("{verb}") };
            ensure!(words[PREFIX.len()] == runtime, "{words:?}");
            said.insert(words[PREFIX.len() + 1..].join(" "));
        }
        ensure!(said.iter().eq(expected), "{said:?}");
    }
    // No other verb speaks to one, and none to a socket or another machine: no option is left to say so.
    let others = Verb::ALL.iter().filter(|verb| !matches!(spec(**verb).object, Object::Runtime | Object::Container));
    for verb in others {
        let words = spec(*verb).template().iter().filter_map(|part| match part {
            Part::Word(word) | Part::Option(word) | Part::OptionField(word, _) => Some(*word),
            _ => None,
        });
        let engines = ["docker", "podman", "containerd", "runc", "crictl", "kubectl", "DOCKER_HOST"];
        ensure!(!words.clone().any(|word| engines.iter().any(|engine| word.contains(engine))), "{verb}");
    }
    assert!(Literal::parse(Object::Path, "/run/docker.sock").is_ok(), "a policy may name it, as a file:");
    // and a file that is a socket is not read: `fs08_…` of catalogue_target.
    for bad in ["podman/-H", "podman/--url=tcp", "docker/a/b", "podman/a:b", "docker --host/x", "nerdctl/a"] {
        assert!(Literal::parse(Object::Container, bad).is_err(), "{bad}");
    }
    for bad in ["podman-remote", "docker -H", "/usr/bin/podman", "nerdctl"] {
        assert!(Literal::parse(Object::Runtime, bad).is_err(), "{bad}");
    }
    Ok(())
}

#[test]
fn apt_is_only_asked_what_it_would_do() {
    for (verb, words) in &programs()["apt-get"] {
        assert_eq!(*verb, Verb::PackagesPending);
        assert_eq!(words[0], "--simulate");
        assert!(words.contains(&"--option=Debug::NoLocking=1"), "an upgrade would have to wait for it");
        // Where the account could write them: a look leaves no caches behind.
        for cache in ["pkgcache", "srcpkgcache"] {
            assert!(words.contains(&format!("--option=Dir::Cache::{cache}=").as_str()), "{words:?}");
        }
        assert!(!words.iter().any(|word| ["update", "-y", "--yes"].contains(word)), "{words:?}");
    }
}

#[test]
fn ar14_no_template_fetches_anything() {
    for words in wires() {
        for word in words.iter().skip(PREFIX.len()) {
            assert!(!word.contains("://") && !word.contains("file:") && !word.starts_with("@"), "{word}");
        }
    }
    // What an operator's own command has, they have written and named.
    for (program, uses) in programs() {
        for (verb, words) in uses {
            let bad = |word: &&str| ["-o", "-K", "-x", "-T", "--engine", "--data-binary"].contains(word);
            assert!(!words.iter().any(bad), "{verb}: {program} {words:?}");
        }
    }
}

#[test]
fn ar15_no_option_names_a_file_or_writes() {
    // `-c 262145` is head's; `-B1`, `-l` are df's; `-Ins` is date's, and its only word: with `-s` or a number it would set
    // the clock.
    assert!(programs()["date"].iter().all(|(_, words)| *words == ["-Ins"]));
    let short = ["-s", "-H", "-w", "-e", "-c", "-l", "-B1", "-qq", "-Ins"];
    let long = [
        "--output=",
        "--output-fields=",
        "--property=",
        "--format=",
        "--no-pager",
        "--no-legend",
        "--plain",
        "--full",
        "--all",
        "--no-trunc",
        "--format",
        "--timestamps",
        "--since=24h",
        "--tail=1000",
        "--simulate",
        "--option=",
        "--state=failed",
        "--priority=warning",
        "--since=-24h",
        "--since=-8d",
        "--lines=100",
        "--unit=",
        "--no-psqlrc",
        "--no-password",
        "--quiet",
        "--csv",
        "--set=ON_ERROR_STOP=1",
        "--set=VERBOSITY=verbose",
        "--port=",
        "--dbname=",
        "--file=-",
        "-host=",
        "-port=",
        "-servername=",
        "-verify_hostname=",
        "-showcerts",
    ];
    for (program, uses) in programs() {
        for (verb, words) in uses {
            for word in words.iter().filter(|word| word.starts_with('-')) {
                let known = short.contains(word) || long.iter().any(|start| word.starts_with(start));
                assert!(known, "{verb}: {program} {word}");
                let path = word.split_once('=').is_some_and(|(_, value)| value.contains('/'));
                assert!(!path, "{verb}: {word} names a file");
            }
        }
    }
}

#[test]
fn ar17_a_hole_is_a_whole_word_and_only_policy_fills_it() -> Result<()> {
    for verb in with(Effect::Observe) {
        let spec = spec(verb);
        let text = match spec.object {
            Object::Unit => "zz.service",
            Object::Path => "/zz",
            _ => continue,
        };
        let holes = spec.template().iter().filter(|part| !matches!(part, Part::Word(_))).count();
        ensure!(holes == 1, "{verb} has {holes} holes");
        let literal = Literal::parse(spec.object, text)?;
        let Wire::Exec(words) = action(verb, Some(literal), Tier::Plain).wire else { anyhow::bail!("{verb}") };
        let filled: Vec<_> = words.iter().filter(|word| word.contains(text)).collect();
        let whole = |word: &str| {
            word == text || word.strip_suffix(text).is_some_and(|o| o.starts_with("--") && o.ends_with('='))
        };
        ensure!(filled.len() == 1 && whole(filled[0]), "{verb}: {words:?}");
    }
    // No function of the contract takes anything else: a guest names a target, a key of its own grant, and a content that its
    // manifest declares. Bytes of its own reach a file only under a person's signature over them (FS14).
    let (parameters, results) = contract()?;
    let expected = [
        ("bytes", "list<u8>"),
        ("content", "string"),
        ("level", "level"),
        ("message", "string"),
        ("name", "string"),
        ("slot", "string"),
        ("target", "borrow<target>"),
        ("target", "target"),
        ("targets", "list<target>"),
    ];
    let expected: Parameters = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    ensure!(parameters == expected, "{parameters:?}");
    // And none gives it a handle: no index is used again for another of the host's objects (CA04, CA08).
    ensure!(
        !results
            .iter()
            .any(|result| result.contains("borrow<") || result.contains("own<") || result.contains("<target"))
    );
    Ok(())
}

/// Parameters by name and type.
type Parameters = BTreeSet<(String, String)>;

/// What functions of `wit/` take, and what they give.
fn contract() -> Result<(Parameters, BTreeSet<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (mut parameters, mut results, mut functions) = (BTreeSet::new(), BTreeSet::new(), 0);
    for entry in fs::read_dir(folder)? {
        for line in fs::read_to_string(entry?.path())?.lines().map(str::trim) {
            let Some((_, signature)) = line.split_once(": func(") else { continue };
            functions += 1;
            ensure!(line.ends_with(';'), "a function on several lines: {line}");
            let (taken, given) = signature.split_once(')').context("no `)`")?;
            results.insert(given.to_owned());
            for parameter in taken.split(", ").filter(|parameter| !parameter.is_empty()) {
                let (name, kind) = parameter.split_once(": ").context("no type")?;
                parameters.insert((name.to_owned(), kind.to_owned()));
            }
        }
    }
    ensure!(functions > Verb::ALL.len(), "{functions} functions were found");
    Ok((parameters, results))
}

#[test]
fn ar18_a_literal_is_short() -> Result<()> {
    let long = "a".repeat(2 << 20);
    refused(&format!("{long}.service"), &format!("/{long}"))?;
    refused(&format!("{}.service", "a".repeat(249)), &format!("/{}", "a".repeat(256)))?;
    ensure!(
        told(&format!("{}.service", "a".repeat(248)), &format!("/{}", "a".repeat(255))).is_empty(),
        "256 bytes are"
    );
    Ok(())
}

#[test]
fn fs02_what_shows_other_processes_or_secrets_is_never_a_file() -> Result<()> {
    let places = [
        "/proc/self/root/etc/shadow",
        "/proc/1/environ",
        "/proc/self/mem",
        "/proc/self/fd/3",
        "/proc",
        "/dev/mem",
        "/dev/fd/3",
        "/dev/stdin",
        "/dev/zero",
        "/sys/kernel/debug",
        "/sys/firmware/efi/efivars",
        "/etc/shadow",
        "/etc/shadow-",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/sudoers.d/x",
        "/etc/ssh/ssh_host_ed25519_key",
        "/root/.ssh/id_ed25519",
        "/home/a/.ssh/id_rsa",
        "/run/credentials/x",
        "/run/secrets/x",
        "/var/run/secrets/x",
        "/etc/ssl/private/x.key",
        "/etc/krb5.keytab",
        "/etc/mtab",
    ];
    for place in places {
        refused("-", place).with_context(|| place.to_owned())?;
        // However it is spelt.
        for spelt in [format!("/{place}"), format!("{place}/"), place.replacen('/', "/./", 1), format!("/x/..{place}")]
        {
            refused("-", &spelt).with_context(|| spelt.clone())?;
        }
    }
    Ok(())
}

#[test]
fn fs03_what_is_not_plain_ascii_is_no_name() -> Result<()> {
    let values = [
        "\0",
        "\n",
        "\r",
        "\t",
        "\u{7f}",
        "\u{80}",
        "\u{9b}",
        "\u{202e}",
        "\u{2066}",
        "\u{2028}",
        "\u{ff0f}",
        "\u{2215}",
        "\u{2044}",
        "\u{e9}",
        "e\u{301}",
        "\u{fffd}",
        "\u{200b}",
        "\u{ad}",
        "\u{e0041}",
        "\u{430}",
    ];
    for value in values {
        refused_anywhere(value).with_context(|| format!("{value:?}"))?;
    }
    // What is no UTF-8 is no file of ours.
    let ops = Ops::new(PROGRAM, &[], &[], "")?;
    ops.write(
        "policy.toml",
        b"[[grant]]\ncomponent = \"service\"\non = [\"x\"]\nbind.unit = \"\xfc\x80\x80\x80\x80\xaf\"\n",
    )?;
    let said = ops.run(&["check"])?;
    ensure!(said.code == 2 && said.stderr.contains("policy.toml"), "{}", said.stderr);
    Ok(())
}

#[test]
fn fs04_nothing_is_expanded() -> Result<()> {
    for value in ["~root/.ssh/id_ed25519", "~", "$HOME", "${HOME}", "*", "?", "[a]", "{a,b}", "=ls", "-", "~/x"] {
        refused(value, value)?;
        refused(&format!("{value}.service"), &format!("/srv/../{value}"))?;
    }
    for value in ["$HOME", "*", "?", "[a]", "{a,b}"] {
        refused_anywhere(value)?;
    }
    // `%h` stays what it is: the plain tier has no program that reads it.
    ensure!(told("a%h.service", "/srv/%h").is_empty());
    Ok(())
}

#[test]
fn fs11_a_name_that_was_not_utf8_cannot_be_asked_for() -> Result<()> {
    // No verb lists names, and U+FFFD, which stands for bytes that are none, cannot be written down.
    refused("a\u{fffd}.service", "/srv/a\u{fffd}")?;
    let (parameters, _) = contract()?;
    ensure!(!parameters.iter().any(|(name, _)| name.contains("path") || name.contains("dir")));
    Ok(())
}

#[test]
fn fs16_no_name_of_a_component_or_target_is_a_path() -> Result<()> {
    for name in
        ["../../.ssh/x", "..", ".", "a/b", "a/", "/a", "CON.", "COM\u{b9}", "a\\b", "a:b", "", "A", "\u{430}", "a\0"]
    {
        ensure!(ComponentId::new(name).is_err() && SlotName::new(name).is_err(), "{name:?}");
        ensure!(TargetName::new(name).is_err() || name == "a.b", "{name:?}");
    }
    // Where the journal is looked for by number, a path is no number.
    let ops = Ops::new(PROGRAM, &[], &[], "")?;
    for number in ["../../../etc/passwd", "/etc/passwd", "1/../2", "-1", "1e3"] {
        let said = ops.run(&["journal", "show", number])?;
        ensure!(said.code == 2 && !said.stdout.contains("root:"), "{number}: {}{}", said.stdout, said.stderr);
    }
    // A component whose manifest says another id than its file has.
    let manifest =
        "[component]\nid = \"../../x\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"x\"\n";
    ops.install("x", b"\0asm\x0d\0\x01\0", manifest.as_bytes())?;
    let said = ops.run(&["check"])?;
    ensure!(said.code == 2 && said.stderr.contains("x.toml"), "{}", said.stderr);
    Ok(())
}
