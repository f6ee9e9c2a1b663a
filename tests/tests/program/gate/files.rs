//! The gate's script and files: every kind of change done, undone and requested twice, in each shell that may run it; what is
//! not a plain file; a kill, a full disk or a person's edit in the middle of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use bailiwick_core::gate_protocol::{Request, Status};
use bailiwick_core::model::{At, Change, State};
use bailiwick_tests::gate::{
    FINE, FREE, Gate, PLAN, SHELLS, absolute, begin, change, ensure_line, is, named, place, shown, step, undo, write,
};

/// The bytes of a file, and what a change of them must preserve.
#[derive(Debug, PartialEq)]
struct Seen {
    bytes: Vec<u8>,
    metadata: Metadata,
}

#[derive(Debug, PartialEq)]
struct Metadata {
    mode: u32,
    owner: (u32, u32),
    note: Vec<u8>,
}

fn seen(path: &Path) -> Option<Seen> {
    let about = fs::symlink_metadata(path).ok()?;
    let mut note = [0; 64];
    let length = rustix::fs::getxattr(path, NOTE, &mut note).unwrap_or(0);
    let (mode, owner) = (about.permissions().mode(), (about.uid(), about.gid()));
    Some(Seen { bytes: fs::read(path).ok()?, metadata: Metadata { mode, owner, note: note[..length].to_vec() } })
}

/// An attribute beyond those that every file has.
const NOTE: &str = "user.bailiwick-test";

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn fs12_every_change_of_a_file_is_done_and_undone_in_every_shell() {
    for (shell, words) in SHELLS {
        let dir = place(&format!("kinds-{shell}"));
        let text = "groups:\n\t- name: 'base' $(id) `id` \\ \"\n  é END\n";
        let at = |name: &str| dir.join(name);
        for (file, content) in [
            ("old", "before\n"),
            ("lines", "one\ntwo"),
            ("first", "one\ntwo\n"),
            ("less", "one\ntwo\none\n"),
            ("junk", "x"),
        ] {
            fs::write(at(file), content).unwrap();
        }
        fs::set_permissions(at("old"), fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown(at("old"), Some(12), Some(13)).unwrap();
        rustix::fs::setxattr(at("old"), NOTE, b"ours", rustix::fs::XattrFlags::CREATE).unwrap();
        let entries = [
            write("write:new", &at("new"), text).unwrap(),
            write("write:bare", &at("bare"), "no end").unwrap(),
            write("write:nothing", &at("nothing"), "").unwrap(),
            write("write:old", &at("old"), text).unwrap(),
            ensure_line("ensure:lines", &at("lines"), "local all 'prometheus' peer", At::End).unwrap(),
            ensure_line("ensure:first", &at("first"), "zero", At::Start).unwrap(),
            ensure_line("ensure:there", &at("less"), "two", At::End).unwrap(),
            change("remove:less", Change::RemoveLine { path: absolute(&at("less")).unwrap(), line: "one".into() }),
            change("aside:junk", Change::SetAside { path: absolute(&at("junk")).unwrap() }),
        ];
        let gate = Gate::new(&entries, &FREE, words).unwrap();
        let expected: [(&str, &str, Option<&str>); 9] = [
            ("write:new", "new", Some(text)),
            ("write:bare", "bare", Some("no end")),
            ("write:nothing", "nothing", Some("")),
            ("write:old", "old", Some(text)),
            ("ensure:lines", "lines", Some("one\ntwo\nlocal all 'prometheus' peer\n")),
            ("ensure:first", "first", Some("zero\none\ntwo\n")),
            ("ensure:there", "less", Some("one\ntwo\none\n")),
            ("remove:less", "less", Some("two\n")),
            ("aside:junk", "junk", None),
        ];
        for (number, (action, file, content)) in expected.into_iter().enumerate() {
            let change = format!("c-{number}");
            let untouched = seen(&at(file));
            let (before, after) = gate.preview(action).unwrap();
            assert_eq!(seen(&at(file)), untouched, "{shell}: a preview changes nothing");
            let asked = [begin(&change), step(&change, 1, action, &before, &after)];
            for _twice in 0..2 {
                for answer in gate.ask("change-root", &asked).unwrap() {
                    assert!(is(&answer, FINE), "{shell} {action}");
                }
                let now = seen(&at(file));
                assert_eq!(
                    now.as_ref().map(|now| now.bytes.as_slice()),
                    content.map(str::as_bytes),
                    "{shell} {action}"
                );
                if let (Some(now), Some(was)) = (&now, &untouched) {
                    assert_eq!(now.metadata, was.metadata, "{shell} {action}: its owner, mode and attributes");
                }
            }
            for _twice in 0..2 {
                assert!(is(&gate.one("change-root", undo(&change, 1)).unwrap(), FINE), "{shell} {action}");
                assert_eq!(seen(&at(file)), untouched, "{shell} {action}");
            }
            assert!(is(&gate.one("change-root", Request::Close(named(&change))).unwrap(), FINE));
        }
        // No file of the gate is left beside them.
        let mut left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["first", "junk", "less", "lines", "old"], "{shell}");
        assert_eq!(fs::read_dir(gate.at("run")).unwrap().count(), 0, "{shell}: sessions leave nothing");
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn fs06_fs08_fs15_what_is_not_a_plain_file_is_left_alone() {
    let dir = place("odd");
    let at = |name: &str| dir.join(name);
    fs::write(at("real"), "secret\n").unwrap();
    symlink(at("real"), at("link")).unwrap();
    fs::write(at("one"), "x").unwrap();
    fs::hard_link(at("one"), at("two")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::create_dir(at("inner")).unwrap();
    symlink(at("inner"), at("way")).unwrap();
    std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    fs::write(at("setuid"), "x").unwrap();
    fs::set_permissions(at("setuid"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::write(at("huge"), vec![b'x'; (16 << 20) + 1]).unwrap();
    let odd = ["link", "one", "folder", "pipe", "setuid", "huge", "way/new", "absent-folder/new"];
    let entries: Vec<_> =
        odd.iter().map(|file| write(&format!("write:{file}"), &at(file), "pwned\n").unwrap()).collect();
    let gate = Gate::free(&entries).unwrap();
    assert!(is(&gate.one("change-root", begin("c-odd")).unwrap(), FINE));
    let something: State = format!("file:{PLAN}:6:644:0:0").parse().unwrap();
    for (number, file) in (1..).zip(odd) {
        let action = format!("write:{file}");
        let preview = gate.one("look", Request::Preview(action.clone())).unwrap();
        assert!(is(&preview, Status::Conflict), "{file}");
        assert!(!shown(&preview).contains("secret"), "{file}");
        let answer = gate.one("change-root", step("c-odd", number, &action, &State::Absent, &something)).unwrap();
        assert!(is(&answer, Status::Conflict), "{file}");
    }
    assert_eq!(fs::read(at("real")).unwrap(), b"secret\n");
    assert_eq!(fs::read(at("two")).unwrap(), b"x");
    assert!(fs::symlink_metadata(at("link")).unwrap().file_type().is_symlink());
    assert_eq!(fs::read_dir(at("inner")).unwrap().count(), 0);
    fs::remove_dir_all(&dir).unwrap();
}
