//! What is removed, what stays, and that answers stay parseable.

use proptest::prelude::*;

use super::*;

fn redacted(text: &str) -> (String, Counts) {
    let mut counts = Counts::new();
    let out = Redactor::default().bytes(text.as_bytes().to_vec(), &mut counts);
    (String::from_utf8(out).unwrap(), counts)
}

const PEM: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n\
    b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n\
    QyNTUxOQAAACCANARYQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZAA==\n\
    -----END OPENSSH PRIVATE KEY-----\n";

/// Every known form, with a recognisable secret: `CANARY` in upper or lower case.
const SECRETS: &[(&str, &str)] = &[
    ("postgres://app:CANARY-1@db/x?y", "postgres://app:[redacted:url-password]@db/x?y"),
    ("redis://:CANARY@cache:6379", "redis://:[redacted:url-password]@cache:6379"),
    ("amqp://u:CAN@ARY@host", "amqp://u:[redacted:url-password]@host"),
    ("Authorization: Basic CANARY==", "Authorization: Basic [redacted:authorization]"),
    ("curl -H 'authorization: Bearer CANARY'", "curl -H 'authorization: Bearer [redacted:authorization]'"),
    ("sent bearer canary0123456789abcdef ok", "sent bearer [redacted:authorization] ok"),
    ("x-api-key: CANARY", "x-api-key: [redacted:authorization]"),
    ("Set-Cookie: sid=CANARY; HttpOnly", "Set-Cookie: [redacted:cookie]"),
    ("key AKIACANARYCANARYCANA in use", "key [redacted:aws-key] in use"),
    ("aws_secret_access_key = CANARY/+=", "aws_secret_access_key = [redacted:assignment]"),
    ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.CANARY-x", "got [redacted:jwt]"),
    ("ghp_CANARYCANARYCANARYCANARYCANARY123456", "[redacted:token]"),
    ("glpat-CANARYcanaryCANARY12", "[redacted:token]"),
    ("xoxb-123456-CANARY", "[redacted:token]"),
    ("root:$6$salt$CANARYcanaryCANARYcanary:19000:0:", "root:[redacted:password-hash]:19000:0:"),
    ("DB_PASSWORD=CANARY", "DB_PASSWORD=[redacted:assignment]"),
    ("export SECRET_KEY_BASE=\"CANARY with \\\"quotes\"", "export SECRET_KEY_BASE=\"[redacted:assignment]\""),
    ("GET /x?token=CANARY", "GET /x?token=[redacted:assignment]"),
    ("Server=db;Password=CANARY,;&x", "Server=db;Password=[redacted:assignment]"),
    ("{\"db\": {\"password\": \"CANARY\"", "{\"db\": {\"password\": \"[redacted:assignment]\""),
    ("  client-secret: CANARY and more", "  client-secret: [redacted:assignment]"),
    ("mysqld --password CANARY --port 1", "mysqld --password [redacted:argument] --port 1"),
    ("app --db-token=CANARY", "app --db-token=[redacted:assignment]"),
    ("[\"--password\", \"CANARY\"]", "[\"--password\", \"[redacted:assignment]\"]"),
    ("app\0--password\0CANARY\0--port", "app\0--password\0[redacted:argument]\0--port"),
    ("PATH=/bin\0API_KEY=CANARY\0HOME=/", "PATH=/bin\0API_KEY=[redacted:assignment]\0HOME=/"),
    ("sshpass -p CANARY ssh", "sshpass -p [redacted:argument] ssh"),
    ("mysql -u root -pCANARY db", "mysql -u root -p[redacted:argument] db"),
    ("curl -s -u admin:CANARY http://x", "curl -s -u admin:[redacted:argument] http://x"),
    ("ALTER USER a PASSWORD 'CANARY'", "ALTER USER a PASSWORD '[redacted:password]'"),
    ("machine h login u password CANARY", "machine h login u password [redacted:password]"),
    ("\"Env\": [\n     \"LICENCE=CANARY\",\n ]", "\"Env\": [\n     \"LICENCE=[redacted:environment]\",\n ]"),
    ("  \"--env=app.key=a CANARY \\\" b\"", "  \"--env=app.key=[redacted:environment]\""),
    ("AGE-SECRET-KEY-1CANARYCANARYCANARYCANARYCANARYCANARYCANARYCANARYCANARY", "[redacted:private-key]"),
];

#[test]
fn tx09_every_form_of_a_secret_is_taken_out_and_its_surroundings_stay() {
    for (text, expected) in SECRETS {
        let (out, counts) = redacted(text);
        assert_eq!(&out, expected);
        assert_eq!(counts.values().sum::<u32>(), 1, "{text}: {counts:?}");
        let (again, _) = redacted(&out);
        assert_eq!(again, out, "a second time changes nothing");
    }
}

#[test]
fn tx09_a_private_key_goes_whole_cut_or_escaped() {
    let gone = |text: &str| {
        let (out, counts) = redacted(text);
        assert!(!out.contains("QyNTUxOQ") && !out.contains("b3Blbn"), "{out}");
        assert_eq!(counts.keys().map(RuleName::as_str).collect::<Vec<_>>(), ["private-key"]);
        out
    };
    let mark = "[redacted:private-key]";
    assert_eq!(gone(&format!("before\n{PEM}after\n")), format!("before\n{}after\n", format!("{mark}\n").repeat(4)));
    // The answer ends, or begins, in the middle of it.
    gone(&PEM[..PEM.len() - 40]);
    gone(PEM.split_once('\n').unwrap().1);
    let escaped = PEM.replace('\n', "\\n");
    assert_eq!(gone(&format!("KEY=\"{escaped}\"\n")), format!("KEY=\"{mark}\\n\"\n"));
    let headers = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n\
        QyNTUxOQAAACCANARYQ0FO\nQyNT\n-----END RSA PRIVATE KEY-----\n";
    assert_eq!(gone(headers), format!("{mark}\nProc-Type: 4,ENCRYPTED\n\n{mark}\n{mark}\n{mark}\n"));
    // A public key is not a secret.
    let public = "-----BEGIN PUBLIC KEY-----\nQyNTUxOQAAACCANARYQ0FO\n-----END PUBLIC KEY-----\n";
    assert_eq!(redacted(public).0, public);
}

#[test]
fn tx09_what_is_no_secret_stays() {
    let plain = [
        "Failed password for root from 192.0.2.1 port 22 ssh2",
        "pam_unix(sshd:auth): authentication failure; password check failed",
        "password authentication failed for user \"app\"",
        "systemd-ask-password-console.path: Deactivated successfully.",
        "token expired; bearer of bad news",
        "PasswordAuthentication no\nPermitEmptyPasswords no\npassword_encryption = scram-sha-256",
        "PASSWORD_FILE=/run/secrets/db TOKEN_TTL=300 PWD=/root",
        "http://host:8080/a@b https://example.org/x?y=1 ssh://git@host/repo",
        "/proc/net/tcp:   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000   113        0 1061",
        "Timezone=Etc/UTC\nNTP=yes\nNTPSynchronized=no",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Q2ar2m7bWqFZnQyNTUxOQAAACCA root@db01",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "PASSWORD=\nNEXT=1",
    ];
    for text in plain {
        assert_eq!(redacted(text), (text.to_owned(), Counts::new()));
    }
}

#[test]
fn tx09_json_lines_are_read_as_what_they_say() {
    let line = |message: serde_json::Value| {
        let line = serde_json::json!({"MESSAGE": message, "PRIORITY": "3", "__REALTIME_TIMESTAMP": "1795296408353790"});
        let (out, counts) = redacted(&format!("{line}\n"));
        assert!(!out.contains("CANARY"), "{out}");
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(read["PRIORITY"], "3");
        (read["MESSAGE"].clone(), counts.values().sum::<u32>())
    };
    // Escapes, also those that hide a letter of the name or a quote of the value.
    assert_eq!(
        line("x \"password\": \"CANA\\\"CANARY\"".into()),
        ("x \"password\": \"[redacted:assignment]\"".into(), 1)
    );
    assert_eq!(line(format!("a\n{PEM}b").into()), (format!("a\n{}b", "[redacted:private-key]\n".repeat(4)).into(), 4));
    let (out, _) = redacted("{\"m\":\"\\u0070assword=CANARY\\tx\"}\n");
    assert_eq!(out, "{\"m\":\"password=[redacted:assignment]\\tx\"}\n");
    // A message in colour is a list of bytes.
    let bytes = |text: &str| serde_json::Value::from(text.bytes().collect::<Vec<u8>>());
    assert_eq!(line(bytes("\x1b[31mtoken=CANARY")), (bytes("\x1b[31mtoken=[redacted:assignment]"), 1));
    // The key names a secret, so its value is removed whatever it is. The same holds for the argument before a value.
    let docker = "{\"Env\":[\"A=1\",\"PGPASSWORD=CANARY\"],\"Args\":[\"--password\" , \"CANARY x\"],\"pin_token\": 4711,\"n\":[1,2]}";
    assert_eq!(
        redacted(docker).0,
        "{\"Env\":[\"A=[redacted:environment]\",\"PGPASSWORD=[redacted:environment]\"],\"Args\":[\"--password\" , \"[redacted:assignment]\"],\
         \"pin_token\": \"[redacted:assignment]\",\"n\":[1,2]}"
    );
    // A text that only resembles an object is text.
    assert_eq!(redacted("{ password=CANARY }\n").0, "{ password=[redacted:assignment] }\n");
    let deep = format!("{{\"a\":{}\"password=CANARY\"", "[".repeat(100_000));
    assert!(!redacted(&deep).0.contains("CANARY"));
}

#[test]
fn tx09_a_pattern_of_policy_s_stays_within_its_line_and_its_string() {
    let rule = |pattern| Redactor::new(vec![Rule::new("own", pattern).unwrap()]).unwrap();
    let applied = |redactor: &Redactor, text: &str| {
        String::from_utf8(redactor.bytes(text.as_bytes().to_vec(), &mut Counts::new())).unwrap()
    };
    // The first group is removed; without groups, the whole match.
    assert_eq!(applied(&rule(r"pin (\d+)"), "pin 4711, pin 12"), "pin [redacted:own], pin [redacted:own]");
    assert_eq!(applied(&rule(r"pin \d+"), "my pin 4711"), "my [redacted:own]");
    // A greedy pattern would remove the rest of the line and all lines after it.
    let greedy = rule(r"(?s)pin.*");
    assert_eq!(applied(&greedy, "a pin 1\r\nb\n\nc\n"), "a [redacted:own]\r\n[redacted:own]\n\n[redacted:own]\n");
    assert_eq!(applied(&greedy, "{\"m\":\"a pin 1\",\"p\":\"3\"}\n"), "{\"m\":\"a [redacted:own]\",\"p\":\"3\"}\n");
    // Lines have their own beginnings and ends.
    assert_eq!(applied(&rule("^x.$"), "x1\nax2\nx3"), "[redacted:own]\nax2\n[redacted:own]");
}

#[test]
fn tx09_a_marker_hides_no_line_of_others() {
    let begin = "-----BEGIN PRIVATE KEY-----";
    for others in ["CRITICAL: disk full\nERROR x\n", "short\n", "OOM\nkilled\n"] {
        assert_eq!(redacted(&format!("{begin}\n{others}")).0, format!("[redacted:private-key]\n{others}"));
    }
}

#[test]
fn tx09_a_key_in_frames_is_taken_out_and_the_frames_stay() {
    let lines = PEM.replace("-----END", "QyNT\n-----END");
    let journal: String = lines
        .lines()
        .map(|line| {
            serde_json::json!({"MESSAGE": line, "PRIORITY": "3", "containerStatusMessage": "x", "__TS": "1795296408353790"}).to_string() + "\n"
        })
        .collect();
    let docker: String =
        lines.lines().map(|line| serde_json::json!({"log": format!("{line}\n")}).to_string() + "\n").collect();
    let syslog: String = lines.lines().map(|line| format!("Nov 1 00:00:00 h app[1]: {line}\n")).collect();
    for text in [&journal, &docker, &syslog] {
        let (out, _) = redacted(text);
        assert!(!out.contains("QyNT") && !out.contains("b3Blb"), "{out}");
        assert_eq!(out.matches("[redacted:private-key]").count(), 5, "{out}");
        assert_eq!(out.lines().count(), 5);
    }
    for beside in ["1795296408353790", "containerStatusMessage"] {
        assert_eq!(redacted(&journal).0.matches(beside).count(), 5);
    }
}

#[test]
fn tx09_the_line_that_was_cut_is_dropped() {
    let dropped = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        drop_cut_line(&mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    assert_eq!(dropped("a\nb\ndb=postgres://app:secretpw"), "a\nb\n");
    assert_eq!(dropped("{\"\\u0070assword\":\"x"), "");
}

#[test]
fn tx09_backslashes_quotes_and_all_below_a_secret_key_go() {
    assert_eq!(redacted("password=Corp\\backupX y").0, "password=[redacted:assignment] y");
    assert_eq!(redacted("password=abc\"def y").0, "password=[redacted:assignment] y");
    let m = "\"[redacted:assignment]\"";
    let json = r#"{"password":["x",{"value":"y"},[1,2]],"n":"z","token":{"v":[72,105]},"m":[1,2]}"#;
    let want = format!(
        "{{\"password\":[{m},{{\"value\":{m}}},[{m},{m}]],\"n\":\"z\",\"token\":{{\"v\":[{m},{m}]}},\"m\":[1,2]}}"
    );
    assert_eq!(redacted(json).0, want);
}

#[test]
fn jr08_what_stands_for_a_secret_says_nothing_of_it() {
    let (one, four) = (redacted("PIN_TOKEN=1\n"), redacted("PIN_TOKEN=4711471147114711\n"));
    assert_eq!(one, four, "neither hash nor length");
}

#[test]
fn rules_that_cannot_be_are_refused() {
    let message = |name: &str, pattern: &str| Rule::new(name, pattern).unwrap_err().to_string();
    assert!(message("Own", "x").contains("not a rule's name"));
    assert!(message("jwt", "x").contains("already exists (built in)"));
    assert!(message("own", "(x").contains("unclosed group"));
    assert!(message("own", &"x".repeat(PATTERN_BYTES + 1)).contains("too large"));
    assert!(message("own", r"(\w{1000}){1000}").contains("too large"));
    for empty in ["", "x*", "a|", r"\b", "^", "(?m)$", "x{0}"] {
        assert!(message("own", empty).contains("empty text"), "{empty}");
    }
    let twice = vec![Rule::new("own", "x").unwrap(), Rule::new("own", "y").unwrap()];
    assert!(matches!(Redactor::new(twice), Err(RuleError::Taken { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A secret is removed at any position and in any context.
    #[test]
    fn tx09_a_secret_is_found_in_every_place(
        before in "([ -~\\t]{0,40}\n){0,3}",
        after in "(\n[ -~]{0,40}){0,3}",
        which in 0..SECRETS.len(),
    ) {
        let text = format!("{before}{}{after}", SECRETS[which].0);
        let (out, _) = redacted(&text);
        prop_assert!(!out.to_ascii_lowercase().contains("canary"), "{out}");
        prop_assert_eq!(out.lines().count(), text.lines().count());
    }

    #[test]
    fn lines_json_and_utf8_stay_what_they_are(
        keys in prop::collection::vec(("[a-z\"\\\\]{0,8}|password|token", "\\PC{0,30}|(token=|--password )\\PC{0,20}"), 0..5),
    ) {
        let object: BTreeMap<String, String> = keys.into_iter().collect();
        let line = serde_json::to_string(&object).unwrap();
        let (out, _) = redacted(&line);
        let read: BTreeMap<String, serde_json::Value> = serde_json::from_str(&out).unwrap();
        prop_assert!(read.len() <= object.len() && out.lines().count() == line.lines().count());
    }
}

#[test]
fn ar11_a_whole_document_keeps_its_form_and_loses_its_environment() {
    let text = "[\n  {\n    \"Env\": [\n      \"A=CANARY\",\n      \"B.c=x=CANARY\\n\\\"\",\n      \"D=\",\n      \"plain\"\n    ],\n    \
        \"Passwd\": true,\n    \"Labels\": [\"a=kept\"],\n    \"CreateCommand\" : [\"run\", \"-e\", \"E=CANARY\", \
        \"--env=F=CANARY\", \"-eG=CANARY\", \"--name=kept\", \"--password\",\n \"CANARY\"],\n    \
        \"Other\": {\"Env\": {\"a\": [\"H=kept\"]}},\n    \"Db\": {\"password\":\n \"CANARY\", \"token\": 4711}\n  }\n]\n";
    let (out, counts) = redacted(text);
    assert!(!out.contains("CANARY") && !out.contains("4711"), "{out}");
    assert_eq!(counts.values().sum::<u32>(), 8, "{counts:?}");
    assert_eq!(out.matches("kept").count(), 3, "{out}");
    assert_eq!(out.lines().count(), text.lines().count());
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    assert_eq!(redacted(&out).0, out, "the same again");
    // A document that was cut is not JSON any more, and its environment is still removed.
    let cut = text.lines().take(5).collect::<Vec<_>>().join("\n");
    assert!(!redacted(&cut).0.contains("CANARY"), "{}", redacted(&cut).0);
}
