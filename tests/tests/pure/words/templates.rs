//! The words of the templates: what each verb starts, and that nothing in it starts, writes or fetches anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bailiwick_core::model::{Effect, Literal, Object, Verb, Wire};
use bailiwick_core::verbs::{PREFIX, Part, Tier, action, spec, with};

use super::{Parameters, contract};

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
            // The program is replaced by one that records its arguments; the test is what the shell makes of the rest.
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
    // Shells that run no command report it by a status that no reader accepts.
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

/// The reviewed ones of these: their words are those of `ar11_…`, and only policy names a container or a database.
const LOOKED_AT: [&str; 5] = ["awk", "date", "openssl", "podman", "psql"];

#[test]
fn ar05_no_template_starts_a_program_that_starts_another() {
    let never: BTreeSet<&str> = NEVER_PROGRAMS.split_whitespace().collect();
    let programs = programs();
    let bad = |program: &str| never.contains(program) && !LOOKED_AT.contains(&program) || program.contains('/');
    let found: Vec<_> = programs.keys().filter(|program| bad(program)).collect();
    assert!(found.is_empty(), "{found:?}");
    let options = ["exec", "command", "checkpoint", "rsh", "-I", "-e/", "--to-", "shell", "pre", "hook"];
    // `-I` is tar's; date has one word, which ar15 checks.
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
    // Each reads, ends by itself and starts nothing. A new one needs a line here, and a review of what else it can do.
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
    // Changes are made by the gate, which starts its own programs.
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
    // No variable of the environment (SYSTEMD_EDITOR, SYSTEMD_PAGER, LESSOPEN) reaches it.
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
            panic!("{verb} is sent to psql");
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
        let mut commands = BTreeSet::new();
        for verb in with(Effect::Observe) {
            let text = match spec(verb).object {
                Object::Runtime => runtime.to_owned(),
                Object::Container => format!("{runtime}/NAME"),
                _ => continue,
            };
            let literal = Literal::parse(spec(verb).object, &text)?;
            let Wire::Exec(words) = action(verb, Some(literal), Tier::Plain).wire else { anyhow::bail!("{verb}") };
            ensure!(words[PREFIX.len()] == runtime, "{words:?}");
            commands.insert(words[PREFIX.len() + 1..].join(" "));
        }
        ensure!(commands.iter().eq(expected), "{commands:?}");
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
        // Where the account could write them: a check leaves no caches behind.
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
    // An operator wrote and named their own command.
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
