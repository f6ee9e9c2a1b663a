//! Signatures of components against the real `ssh-keygen`, in both directions: we accept what it signs and verifies, and it
//! verifies what we sign.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bailiwick_core::model::ComponentId;
use bailiwick_core::source::Source;
use bailiwick_policy::signature;
use bailiwick_policy::signature::{
    AllowedSigners, NAMESPACE, Refusal, RequiredSigner, Rules, SignError, Signature, SshsigError,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const FILE: &[u8] = b"\0asm\x0d\0\x01\0 the component";
const NOW: &str = "2026-06-15T12:00:00Z";
const NOW_OPENSSH: &str = "20260615120000Z";
/// A place with summer time, as POSIX writes it: no zone database is needed.
const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// Keys of three people: `alice` and `bob` sign components, `rsa` has another kind of key.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for (name, kind) in [("alice", "ed25519"), ("bob", "ed25519"), ("rsa", "rsa"), ("ecdsa", "ecdsa")] {
            keys.keygen(&["-q", "-t", kind, "-N", "", "-C", "a comment", "-f", name], b"", true);
        }
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn keygen(&self, args: &[&str], stdin: &[u8], must: bool) -> (bool, Vec<u8>) {
        let mut command = Command::new("ssh-keygen");
        command.args(args).current_dir(self.0.path()).env("TZ", ZONE);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may have refused before it reads.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(!must || output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        (output.status.success(), output.stdout)
    }

    fn sign(&self, key: &str, namespace: &str, hash: &str) -> Vec<u8> {
        let hash = format!("hashalg={hash}");
        self.keygen(&["-q", "-Y", "sign", "-f", key, "-n", namespace, "-O", &hash], FILE, true).1
    }

    /// `alice`, `bob`, … in braces become their public keys, without the comment.
    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for name in ["alice", "bob", "rsa", "ecdsa"] {
            let public = fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
            let key: Vec<_> = public.split(' ').take(2).collect();
            text = text.replace(&format!("{{{name}}}"), &key.join(" "));
        }
        text
    }

    /// Whether `ssh-keygen -Y verify` takes a signature.
    fn theirs(&self, allowed: &str, principal: &str, signature: &[u8]) -> bool {
        self.write("allowed", allowed);
        self.write("signature", signature);
        let time = format!("verify-time={NOW_OPENSSH}");
        let args = ["-Y", "verify", "-n", NAMESPACE, "-I", principal, "-f", "allowed", "-s", "signature", "-O", &time];
        self.keygen(&args, FILE, false).0
    }
}

fn zone() -> TimeZone {
    TimeZone::posix(ZONE).unwrap()
}

fn parsed(allowed: &str) -> Option<AllowedSigners> {
    AllowedSigners::parse(&Source::embedded("allowed_signers", allowed), &zone()).ok()
}

fn check(allowed: AllowedSigners, principal: &str, signature: &[u8]) -> Result<(), Refusal> {
    let place = Source::embedded("policy.toml", "").at(0..0);
    let rules = Rules { allowed, require: None };
    let wanted = [RequiredSigner { principals: vec![principal.to_owned()], place }];
    let id = ComponentId::new("x").unwrap();
    let signer = rules.check(&id, FILE, Some(signature), &wanted, NOW.parse::<Timestamp>().unwrap())?.unwrap();
    assert_eq!(signer.principal, principal);
    Ok(())
}

/// Whether we take a signature; `None` for an allowed_signers that is refused as a whole.
fn ours(allowed: &str, principal: &str, signature: &[u8]) -> Option<bool> {
    Some(check(parsed(allowed)?, principal, signature).is_ok())
}

/// Lists that both read: what either takes, the other does.
const LISTS: &[&str] = &[
    "alice@example.org {alice}\n",
    "alice@example.org {alice}",
    "alice@example.org {alice} a comment # and more\n",
    "# comment\n\n  \t\n   alice@example.org {alice}\r\n",
    "alice@example.org\t {alice}\t\n",
    "alice@example.org {alice}\r\nbob@example.org {bob}\r\n",
    "\"alice@example.org\" {alice}\n",
    "\"alice@example.org\"{alice}\n",
    "ali\"ce@example.org\" {alice}\n",
    "*@example.org {alice}\n",
    "*@example.org,!bob@example.org {alice}\n",
    "!alice@example.org,* {alice}\n*@example.org {bob}\n",
    "bob@example.org,alice@* {alice}\n",
    "?????@example.org {alice}\n",
    "Alice@example.org {alice}\n",
    "alice@example.org,, {alice}\n",
    "alice@example.org {bob}\nalice@example.org {alice}\n",
    "bob@example.org {alice}\n",
    "alice@example.org {rsa}\nalice@example.org {alice}\n",
    "alice@example.org {ecdsa}\n",
    "alice@example.org namespaces=\"bailiwick-component\" {alice}\n",
    "alice@example.org namespaces=\"git,bailiwick-*\" {alice}\n",
    "alice@example.org namespaces=\"git\" {alice}\n",
    "alice@example.org namespaces=\"*,!bailiwick-component\" {alice}\n",
    "alice@example.org namespaces=\"\" {alice}\n",
    "alice@example.org NameSpaces=\"bailiwick-component\"   {alice}\n",
    "alice@example.org namespaces=\"git\\\",bailiwick-component\" {alice}\n",
    "alice@example.org ,namespaces=\"bailiwick-component\",,valid-after=\"20260101\" {alice}\n",
    "alice@example.org valid-after=\"20260101\" {alice}\n",
    "alice@example.org valid-after=\"20270101\" {alice}\n",
    "alice@example.org valid-before=\"20260101Z\" {alice}\n",
    "alice@example.org valid-before=\"20270101z\" {alice}\n",
    "alice@example.org valid-after=\"20260101\",valid-before=\"20270101\",namespaces=\"b*\" {alice}\n",
    "alice@example.org valid-before=\"20260101\" {alice}\nalice@example.org {alice}\n",
    // The second itself, in UTC and here: on the clock that is never put forward.
    "alice@example.org valid-after=\"20260615120000Z\" {alice}\n",
    "alice@example.org valid-after=\"20260615120001Z\" {alice}\n",
    "alice@example.org valid-before=\"20260615120000UTC\" {alice}\n",
    "alice@example.org valid-before=\"20260615115959utc\" {alice}\n",
    "alice@example.org valid-after=\"20260615130000\" {alice}\n",
    "alice@example.org valid-after=\"20260615130001\" {alice}\n",
    "alice@example.org valid-before=\"20260615130000\" {alice}\n",
    "alice@example.org valid-before=\"20260615125959\" {alice}\n",
    "alice@example.org valid-after=\"202606151301\" {alice}\n",
    "",
];

/// Lists that are refused as a whole, whatever OpenSSH makes of them.
const REFUSED: &[&str] = &[
    "alice@example.org cert-authority {alice}\n",
    "alice@example.org CERT-AUTHORITY,namespaces=\"x\" {alice}\n",
    "alice@example.org {alice}\nbroken\n",
    "alice@example.org ssh-ed25519 AAAA\n",
    "alice@example.org ssh-ed25519\n",
    "alice@example.org nonsense {alice}\n",
    "alice@example.org namespaces=git {alice}\n",
    "alice@example.org namespaces=\"git {alice}\n",
    "alice@example.org namespaces=\"a\",namespaces=\"b\" {alice}\n",
    "alice@example.org valid-after=\"tomorrow\" {alice}\n",
    "alice@example.org valid-after=\"20260230\" {alice}\n",
    "alice@example.org valid-after=\"\" {alice}\n",
    "alice@example.org valid-after=\"20270101\",valid-before=\"20260101\" {alice}\n",
    "alice@example.org namespaces=\"*\", {alice}\n",
    "\"alice@example.org {alice}\n",
    "\"\" {alice}\n",
    "{alice}\n",
];

#[test]
fn ssh_keygen_and_we_take_the_same_signatures_from_the_same_people() {
    let keys = Keys::new();
    let (mut taken, mut refused) = (0, 0);
    for (key, namespace, hash) in [
        ("alice", NAMESPACE, "sha512"),
        ("alice", NAMESPACE, "sha256"),
        ("alice", "git", "sha512"),
        ("bob", NAMESPACE, "sha512"),
    ] {
        let signature = keys.sign(key, namespace, hash);
        for list in LISTS {
            let list = keys.fill(list);
            let others = ["bob@example.org", "alice", "Alice@example.org"];
            let others = others.into_iter().filter(|_| (key, namespace, hash) == ("alice", NAMESPACE, "sha512"));
            for principal in others.chain(["alice@example.org"]) {
                let theirs = keys.theirs(&list, principal, &signature);
                assert_eq!(ours(&list, principal, &signature), Some(theirs), "{key} {namespace} {principal}\n{list}");
                if theirs { taken += 1 } else { refused += 1 }
            }
        }
    }
    assert!(taken > 50 && refused > 50, "{taken} taken, {refused} refused");
    for list in REFUSED {
        assert!(parsed(&keys.fill(list)).is_none(), "{list}");
    }
}

#[test]
fn ssh_keygen_verifies_what_we_sign() {
    let keys = Keys::new();
    let list = keys.fill("alice@example.org {alice}\n");
    let key = fs::read_to_string(keys.path("alice")).unwrap();
    let signature = signature::sign(&key, FILE).unwrap();
    assert!(keys.theirs(&list, "alice@example.org", signature.as_bytes()));
    assert_eq!(ours(&list, "alice@example.org", signature.as_bytes()), Some(true));
    let other = signature::sign(&key, b"another file").unwrap();
    assert!(!keys.theirs(&list, "alice@example.org", other.as_bytes()));
    assert_eq!(
        Signature::parse(other.as_bytes()).unwrap().verify(FILE),
        Err(SshsigError::Mismatch),
        "a signature is of one file"
    );
    // ssh-keygen's own print of the key.
    let printed = String::from_utf8(keys.keygen(&["-l", "-f", "alice.pub"], b"", true).1).unwrap();
    assert!(printed.contains(&Signature::parse(signature.as_bytes()).unwrap().fingerprint()), "{printed}");
    // Keys that do not sign.
    keys.keygen(&["-q", "-t", "ed25519", "-N", "secret", "-f", "locked"], b"", true);
    let read = |name: &str| fs::read_to_string(keys.path(name)).unwrap();
    assert_eq!(signature::sign(&read("locked"), FILE), Err(SignError::Encrypted));
    assert_eq!(signature::sign(&read("alice.pub"), FILE), Err(SignError::NoKey));
    assert_eq!(signature::sign("", FILE), Err(SignError::NoKey));
    assert!(matches!(signature::sign(&read("rsa"), FILE), Err(SignError::KeyType(name)) if name.contains("rsa")));
    assert!(signature::sign(&read("ecdsa"), FILE).is_err());
}

#[test]
fn each_thing_that_can_be_wrong_with_a_signature_has_its_own_words() {
    let keys = Keys::new();
    let good = String::from_utf8(keys.sign("alice", NAMESPACE, "sha512")).unwrap();
    let parse = |text: &str| Signature::parse(text.as_bytes()).map(drop).unwrap_err();
    let blob = |text: &str| {
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        data_encoding::BASE64.decode(body.as_bytes()).unwrap()
    };
    let armour = |blob: &[u8]| {
        let body = data_encoding::BASE64.encode(blob);
        format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n")
    };
    assert!(Signature::parse(armour(&blob(&good)).as_bytes()).is_ok(), "one long line is not a mistake");
    assert!(Signature::parse(good.replace("\nA", "\n \t\r\nA").as_bytes()).is_ok(), "nor is white space");

    assert_eq!(parse(""), SshsigError::NoBegin);
    assert_eq!(parse(&format!(" {good}")), SshsigError::NoBegin);
    assert_eq!(parse(&good.replace('\n', "\r\n")), SshsigError::NoBegin);
    assert_eq!(parse(&good[..good.len() - 5]), SshsigError::NoEnd);
    assert_eq!(parse(&format!("{good}x")), SshsigError::Trailing);
    assert_eq!(parse(&format!("{good}{good}")), SshsigError::Trailing);
    assert_eq!(parse(&good.replacen("\nU", "\n!", 1)), SshsigError::Base64);
    assert_eq!(parse(&good.replacen("\nU", "\n", 1)), SshsigError::Base64);
    assert_eq!(parse(&"x".repeat(9000)), SshsigError::TooLarge(9000));
    assert!(matches!(parse(&armour(&[&*blob(&good), b"x"].concat())), SshsigError::Damaged(_)));
    assert!(matches!(parse(&armour(b"SSHSIG")), SshsigError::Damaged(_)));
    for version in [0, 2, 255] {
        let mut other = blob(&good);
        other[9] = version;
        assert_eq!(parse(&armour(&other)), SshsigError::Version(version.into()));
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(
        parse(&text(keys.sign("alice", "git", "sha512"))),
        SshsigError::Namespace { found: "git".to_owned(), wanted: NAMESPACE }
    );
    for (key, name) in [("rsa", "rsa"), ("ecdsa", "ecdsa")] {
        let error = parse(&text(keys.sign(key, NAMESPACE, "sha512")));
        assert!(matches!(&error, SshsigError::KeyType(found) if found.contains(name)), "{key}: {error}");
    }
    // The reserved field is the one behind the namespace.
    let at = good_at(&blob(&good), NAMESPACE.as_bytes()) + NAMESPACE.len();
    let mut reserved = blob(&good);
    reserved.splice(at..at + 4, [0, 0, 0, 1, b'x']);
    assert_eq!(parse(&armour(&reserved)), SshsigError::Reserved);
    let mut hash = blob(&good);
    let at = good_at(&hash, b"sha512");
    hash[at..at + 6].copy_from_slice(b"sha384");
    assert!(matches!(parse(&armour(&hash)), SshsigError::Damaged(_)));
}

fn good_at(blob: &[u8], word: &[u8]) -> usize {
    blob.windows(word.len()).position(|window| window == word).unwrap()
}

#[test]
fn a_damaged_signature_that_we_take_ssh_keygen_takes() {
    let keys = Keys::new();
    let list = keys.fill("alice@example.org {alice}\n");
    let good = keys.sign("alice", NAMESPACE, "sha512");
    let mut taken = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] = match at % 3 {
            0 => bad[at] ^ 1,
            1 => b'\n',
            _ => b'A',
        };
        let ours = ours(&list, "alice@example.org", &bad) == Some(true);
        if ours {
            taken += 1;
            assert!(keys.theirs(&list, "alice@example.org", &bad), "byte {at}");
        }
        assert!(!ours || bad == good || !good[at].is_ascii_alphanumeric(), "byte {at} counts");
    }
    assert!(taken < 30, "{taken} of {} changes count for nothing", good.len());
}

/// Pieces that lines are made of.
fn lines() -> impl Strategy<Value = String> {
    let one_of = |list: &'static [&'static str]| prop::sample::select(list);
    let principals = one_of(&[
        "alice@example.org",
        "*",
        "*@example.org",
        "!alice@example.org",
        "bob@example.org",
        "?lice@*",
        "\"alice@example.org\"",
        "a*,!*b*",
    ]);
    let options = prop::collection::vec(
        one_of(&[
            "namespaces=\"bailiwick-component\"",
            "namespaces=\"git\"",
            "NAMESPACES=\"*\"",
            "valid-after=\"20260101\"",
            "valid-before=\"20260615\"",
            "valid-before=\"20270101Z\"",
            "valid-after=\"202606151259\"",
            "valid-before=\"20260615130000\"",
            "",
            "cert-authority",
            "unknown",
            "namespaces=\"a b\"",
            "namespaces=\"\\\"\"",
            "valid-after=\"0\"",
        ]),
        0..3,
    );
    let key = one_of(&["{alice}", "{bob}", "{rsa}", "ssh-ed25519 AAAA", "{alice} comment", "ssh-ed25519"]);
    let space = one_of(&[" ", "\t", "  ", " \r "]);
    let end = one_of(&["\n", "\r\n", " \n"]);
    (principals, options, key, space, end).prop_map(|(principals, options, key, space, end)| {
        let options = options.join(",");
        let gap = if options.is_empty() { "" } else { space };
        format!("{principals}{space}{options}{gap}{key}{end}")
    })
}

#[test]
fn any_list_of_which_we_understand_every_line_means_the_same_to_ssh_keygen() {
    let keys = Keys::new();
    let signature = keys.sign("alice", NAMESPACE, "sha512");
    let understood = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 300, ..ProptestConfig::default() });
    runner
        .run(&prop::collection::vec(lines(), 1..3), |lines| {
            let list = keys.fill(&lines.concat());
            if let Some(ours) = ours(&list, "alice@example.org", &signature) {
                understood.set(understood.get() + 1);
                prop_assert_eq!(ours, keys.theirs(&list, "alice@example.org", &signature), "{}", list);
            }
            Ok(())
        })
        .unwrap();
    assert!(understood.get() > 30, "{} lists were understood", understood.get());
}
