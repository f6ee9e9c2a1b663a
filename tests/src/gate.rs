//! A gate in a folder of its own: the real script with generated paths, so that nothing of this machine is touched.
//!
//! It works as root only, because it keeps owners. Its tests are ignored unless they are asked for.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_core::gate_protocol::{Answer, Decoder, Request, Status};
use bailiwick_core::model::{AbsolutePath, At, Change, ChangeId, State, UnitAct, UnitName, Wire};
use bailiwick_policy::gate;
use bailiwick_policy::gate::{Entry, EntryKind, Limits, Paths, Script};
use tempfile::TempDir;

/// What may run the script.
pub const SHELLS: &[(&str, &[&str])] =
    &[("dash", &["/usr/bin/dash"]), ("busybox", &["/usr/bin/busybox", "sh"]), ("bash", &["/usr/bin/bash"])];

/// A gate and its files.
#[derive(Debug)]
pub struct Gate {
    /// Everything is below it.
    pub dir: TempDir,
    /// Its paths.
    pub paths: Paths,
    /// What was generated.
    pub script: Script,
}

impl Gate {
    /// A gate with these entries, run by this shell.
    ///
    /// # Errors
    /// When it cannot be generated or written.
    pub fn new(entries: &[Entry], limits: &Limits, shell: &[&str]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("bailiwick-gate-test").tempdir()?;
        let at = |name: &str| dir.path().join(name).display().to_string();
        let paths = Paths {
            gate: at("gate"),
            shell: shell.iter().map(|word| (*word).to_owned()).collect(),
            config: at("config"),
            state: at("state"),
            run: at("run"),
            tmp: at("tmp"),
            keys: at("keys"),
            sshd_config: at("sshd.conf"),
            sudoers: at("sudoers"),
            logger: at("logger"),
            systemctl: at("systemctl"),
            systemd_run: "/nonexistent/systemd-run".to_owned(),
            boot_unit: at("boot.service"),
            systemd: "/nonexistent/systemd".to_owned(),
            locks: vec![at("package-lock")],
            ..Paths::default()
        };
        let script = gate::script("test", ["bw-read", "bw-change"], entries, &paths, limits)?;
        for folder in ["config", "tmp"] {
            fs::create_dir(dir.path().join(folder))?;
            fs::set_permissions(dir.path().join(folder), fs::Permissions::from_mode(0o755))?;
        }
        program(&dir.path().join("gate"), &script.text)?;
        // Its arguments, one line for each call: what syslog would have.
        program(
            &dir.path().join("logger"),
            &format!("#!/bin/sh\nfor word; do :; done\nprintf '%s\\n' \"$word\" >>'{}'\n", at("log")),
        )?;
        program(&dir.path().join("systemctl"), &SYSTEMCTL.replace("@DIR@", &dir.path().display().to_string()))?;
        Ok(Self { dir, paths, script })
    }

    /// The same entries, run by this machine's own shell, a thousand changes a day.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn free(entries: &[Entry]) -> Result<Self> {
        Self::new(entries, &FREE, SHELLS.first().map_or(&["/bin/sh"], |(_, words)| words))
    }

    /// A place below it.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What it has logged.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.at("log"))?)
    }

    /// Starts a session in a role.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, role: &str) -> Result<Session> {
        let (program, before) = self.paths.shell.split_first().context("a shell")?;
        let mut command = Command::new(program);
        command.args(before).arg(&self.paths.gate).arg(role);
        command.env_clear().env("SSH_CONNECTION", "192.0.2.7 4711 192.0.2.8 22");
        command.env("SSH_ORIGINAL_COMMAND", format!("bailiwick-gate/1 {role}"));
        Session::start(command)
    }

    /// Asks, and waits for the answers.
    ///
    /// # Errors
    /// When there are none.
    pub fn ask(&self, role: &str, requests: &[Request]) -> Result<Vec<Answer>> {
        let mut session = self.start(role)?;
        session.say(&bailiwick_core::gate_protocol::frame(requests)?)?;
        session.answers(requests.len())
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn one(&self, role: &str, request: Request) -> Result<Answer> {
        self.ask(role, &[request])?.pop().context("an answer")
    }

    /// The state of an object, and its state after the change.
    ///
    /// # Errors
    /// When the gate does not report it.
    pub fn preview(&self, action: &str) -> Result<(State, State)> {
        let answer = self.one("look", Request::Preview(action.to_owned()))?;
        ensure!(answer.status == Status::Exit(0), "preview: {}", shown(&answer));
        let text = String::from_utf8(answer.stdout)?;
        let (before, after) = text.lines().next().and_then(|line| line.split_once(' ')).context("two states")?;
        Ok((before.parse()?, after.parse()?))
    }
}

/// No limit of changes.
pub const FREE: Limits = Limits { per_day: 1000, between_s: 0, dead_man_max_s: 600, free_kib: 16 };

/// An answer in words.
#[must_use]
pub fn shown(answer: &Answer) -> String {
    format!(
        "{}: {} {}",
        answer.status,
        String::from_utf8_lossy(&answer.stdout),
        String::from_utf8_lossy(&answer.stderr)
    )
}

/// A gate that is running.
#[derive(Debug)]
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Session {
    /// Starts any program that speaks as a gate does.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir("/");
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the gate has closed its input.
    pub fn say(&mut self, bytes: &[u8]) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its input is closed")?;
        let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
        Ok(())
    }

    /// Ends its input.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Reads to its end, with the input still open: exit code, output, errors.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn end(mut self) -> Result<(Option<i32>, Vec<u8>, String)> {
        let (mut out, mut err) = (Vec::new(), String::new());
        self.child.stdout.take().context("its output")?.read_to_end(&mut out)?;
        self.child.stderr.take().context("its errors")?.read_to_string(&mut err)?;
        let status = self.child.wait()?;
        Ok((status.code(), out, err))
    }

    /// The answers, and its end.
    ///
    /// # Errors
    /// When it prints something else.
    pub fn answers(self, count: usize) -> Result<Vec<Answer>> {
        let (code, out, err) = self.end()?;
        let mut decoder = Decoder::new(vec![1 << 20; count]);
        let answers = decoder.feed(&out).with_context(|| {
            format!("exit {code:?}, stderr {err}, stdout {}", String::from_utf8_lossy(&out).escape_debug())
        })?;
        ensure!(decoder.is_over() && code == Some(0), "exit {code:?}, {} answers, stderr {err}", answers.len());
        ensure!(err.is_empty(), "it complained: {err}");
        Ok(answers)
    }
}

/// Waits until something holds.
///
/// # Errors
/// When it does not within 20 seconds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    for _ in 0..400 {
        if holds() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("never: {what}")
}

/// A program at a path.
///
/// # Errors
/// When it cannot be written.
pub fn program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// A plan's digest.
pub const PLAN: &str = "aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11";

/// A change's name.
///
/// # Panics
/// When it is not valid.
#[must_use]
#[expect(clippy::expect_used, reason = "a mistake in a test")]
pub fn named(text: &str) -> ChangeId {
    ChangeId::new(text).expect("a name")
}

/// Opens a change for 300 seconds.
#[must_use]
pub fn begin(change: &str) -> Request {
    begin_for(change, 300)
}

/// Opens a change for this many seconds.
#[must_use]
pub fn begin_for(change: &str, seconds: u32) -> Request {
    Request::Begin { change: named(change), plan: PLAN.to_owned(), seconds }
}

/// One step.
#[must_use]
pub fn step(change: &str, step: u32, action: &str, before: &State, after: &State) -> Request {
    Request::Do {
        change: named(change),
        step,
        action: action.to_owned(),
        before: before.clone(),
        after: after.clone(),
        computed: None,
    }
}

/// The undo of a step.
#[must_use]
pub fn undo(change: &str, step: u32) -> Request {
    Request::Undo { change: named(change), step }
}

/// Asserts an answer's status.
#[track_caller]
pub fn is(answer: &Answer, status: Status) -> bool {
    assert_eq!(answer.status, status, "{}", shown(answer));
    true
}

/// Whether an answer has this status.
pub const FINE: Status = Status::Exit(0);

/// A folder for objects, outside of everything that is never changed: a plain path that belongs to root.
///
/// # Panics
/// When it cannot be made.
#[must_use]
#[expect(clippy::expect_used, reason = "a test cannot go on without")]
pub fn place(name: &str) -> PathBuf {
    let dir = PathBuf::from(format!("/var/tmp/bailiwick-gate-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).expect("a folder");
    dir
}

/// A change of a list.
#[must_use]
pub fn change(id: &str, change: Change) -> Entry {
    Entry { id: id.to_owned(), kind: EntryKind::Change(change), seconds: 30, bytes_max: 64 << 10 }
}

/// A change that writes a file with these bytes.
///
/// # Errors
/// When it is not a path.
pub fn write(id: &str, path: &Path, text: &str) -> Result<Entry> {
    Ok(change(id, Change::Write { path: absolute(path)?, text: text.to_owned() }))
}

/// A change that ensures a line in a file.
///
/// # Errors
/// When it is not a path.
pub fn ensure_line(id: &str, path: &Path, line: &str, at: At) -> Result<Entry> {
    Ok(change(id, Change::EnsureLine { path: absolute(path)?, line: line.to_owned(), at }))
}

/// A change of a unit.
///
/// # Errors
/// When it is not a unit.
pub fn unit(id: &str, unit: &str, act: UnitAct) -> Result<Entry> {
    Ok(change(id, Change::Unit { unit: UnitName::new(unit)?, act }))
}

/// Runs a program that reads.
#[must_use]
pub fn read(id: &str, words: &[&str], seconds: u64, bytes_max: u64) -> Entry {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Entry { id: id.to_owned(), kind: EntryKind::Read(Wire::Exec(words)), seconds, bytes_max }
}

/// A path as a literal.
///
/// # Errors
/// When it is not valid.
pub fn absolute(path: &Path) -> Result<AbsolutePath> {
    Ok(AbsolutePath::new(path.to_str().context("a plain path")?)?)
}

/// A fake `systemctl` with one unit, `toy.service`: `active`, `enabled` and the next failure are files beside it.
const SYSTEMCTL: &str = "#!/bin/sh
cd '@DIR@' || exit 1
for word; do :; done
get() { if [ -e \"toy.$1\" ]; then cat \"toy.$1\"; else printf '%s\\n' \"$2\"; fi; }
printf '%s\\n' \"$*\" >>systemctl.log
case \" $* \" in
*' show '*)
    printf 'Id=%s\\nLoadState=loaded\\n' \"$(get id \"$word\")\"
    printf 'ActiveState=%s\\nUnitFileState=%s\\n' \"$(get active active)\" \"$(get enabled enabled)\"
    printf 'NeedDaemonReload=%s\\nCanReload=yes\\nExecReload=%s\\n' \"$(get stale no)\" \"$(get reload '')\"
    printf 'PropagatesReloadTo=%s\\nRequiredBy=%s\\nBoundBy=\\nConsistsOf=\\n' \"$(get spreads '')\" \"$(get drags '')\"
    exit 0 ;;
*' reset-failed '*) exit 0 ;;
esac
if [ -e toy.fails ]; then echo 'Job failed. See journalctl.' >&2; exit 1; fi
if [ -e toy.slow ]; then sleep \"$(cat toy.slow)\"; fi
case \" $* \" in
*' start '* | *' restart '*) echo active >toy.active ;;
*' stop '*) echo inactive >toy.active ;;
*' enable '*) echo enabled >toy.enabled ;;
*' disable '*) echo disabled >toy.enabled ;;
esac
";
