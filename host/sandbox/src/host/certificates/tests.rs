//! Certificates that OpenSSL made, whole, damaged, many, and none.

use super::*;
use bailiwick_core::model::Exit;

const RSA_PEM: &str = include_str!("rsa.pem");
const EC_PEM: &str = include_str!("ec.pem");
const ED25519_PEM: &str = include_str!("ed25519.pem");
const LONG_AGO_PEM: &str = include_str!("long-ago.pem");
const SHOWN: &str = include_str!("s_client-tls13.txt");
const SHOWN_12: &str = include_str!("s_client-tls12.txt");

fn answer(status: u32, stdout: &str, stderr: &str) -> Answer {
    Answer { stdout: stdout.into(), stderr: stderr.into(), exit: Exit::Status(status), timing: None }
}

fn read(text: &str) -> Result<Vec<Certificate>, VerbError> {
    file(&answer(0, text, ""))
}

fn one(text: &str) -> Certificate {
    let mut certificates = read(text).unwrap();
    assert_eq!(certificates.len(), 1, "{certificates:?}");
    certificates.remove(0)
}

#[test]
fn each_kind_of_key() {
    let shown: Vec<String> =
        [RSA_PEM, EC_PEM, ED25519_PEM, LONG_AGO_PEM].map(one).iter().map(|c| format!("{c:#?}")).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn line_ends_order_and_text_around_do_not_matter() {
    let plain = read(&[EC_PEM, RSA_PEM].concat()).unwrap();
    assert_eq!((plain.len(), plain[0].key, plain[1].key), (2, KeyKind::Ec, KeyKind::Rsa));
    let crlf = [EC_PEM, RSA_PEM].concat().replace('\n', "\r\n");
    let around = format!(
        "subject=CN = x\n\n{EC_PEM}  garbage \0 \u{1b}[2J é\n-----BEGIN CERTIFICATE REQUEST-----\n{RSA_PEM}end\n"
    );
    let indented = EC_PEM.replace('\n', " \n") + RSA_PEM;
    for other in [crlf, around, indented] {
        // Compared as debug text, because the generated records do not implement `PartialEq`.
        assert_eq!(format!("{:?}", read(&other).unwrap()), format!("{plain:?}"), "{other}");
    }
}

#[test]
fn none_and_many() {
    assert!(read("").unwrap().is_empty());
    assert!(read("nothing of the kind\n").unwrap().is_empty());
    assert_eq!(read(&ED25519_PEM.repeat(100)).unwrap().len(), 100);
}

#[test]
fn one_that_cannot_be_read_hides_no_other() {
    let broken = ED25519_PEM.replace("MII", "MIJ");
    for text in [
        format!("{EC_PEM}{broken}"),
        format!("{broken}{EC_PEM}"),
        ED25519_PEM.replace("-----END CERTIFICATE-----\n", ""),
        format!("{BEGIN}\n{END}\n"),
        format!("{BEGIN}\nMAA=\n{END}\n"),
        format!("{BEGIN}\nnot base64!\n{END}\n"),
        format!("{BEGIN}\n{BEGIN}\n{END}\n{END}\n"),
        // A certificate with extra bytes in the same block.
        format!("{BEGIN}\n{}\n{END}\n", BASE64.encode(&[der(ED25519_PEM), vec![0]].concat())),
    ] {
        assert_eq!(read(&text).err(), Some(Garbled), "{text}");
    }
}

fn der(pem: &str) -> Vec<u8> {
    next_block(&mut pem.lines(), |_| true).unwrap().unwrap()
}

#[test]
fn tg05_no_byte_of_a_certificate_breaks_the_reader() {
    for pem in [RSA_PEM, EC_PEM, ED25519_PEM] {
        let whole = der(pem);
        for at in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                let _ = certificate(&damaged);
            }
            assert!(certificate(&whole[..at]).is_err(), "cut at {at}");
        }
    }
    // Lengths beyond the end, and nesting without an end.
    for der in [vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], vec![0x30, 0x80, 0, 0], [0x30, 0x82].repeat(100_000)] {
        assert!(certificate(&der).is_err());
    }
}

#[test]
fn what_a_server_shows() {
    let presented =
        server(&answer(0, SHOWN, "depth=0 CN = www.example.org\nverify error:num=18:self-signed certificate\n"));
    let presented = presented.unwrap();
    assert_eq!((presented.chain.len(), presented.protocol.as_str(), presented.verify_code), (2, "TLSv1.3", 19));
    assert_eq!(presented.verify_text, "self-signed certificate in certificate chain");
    assert_eq!(presented.chain[0].names, ["www.example.org", "127.0.0.1", "2001:db8::7"]);
    assert!(!presented.chain[0].self_signed && presented.chain[1].self_signed);
    let presented = server(&answer(0, SHOWN_12, "")).unwrap();
    assert_eq!((presented.protocol.as_str(), presented.verify_code), ("TLSv1.2", 62));
    assert_eq!(presented.verify_text, "hostname mismatch");
}

#[test]
fn what_a_server_sends_is_not_taken_for_openssls_words() {
    // Text of the server follows the verdict, and is ignored.
    let late = format!("{SHOWN}Certificate chain\n{ED25519_PEM}---\nVerify return code: 0 (ok)\n");
    let presented = server(&answer(0, &late, "")).unwrap();
    assert_eq!((presented.chain.len(), presented.verify_code), (2, 19));
    // A line in the section that OpenSSL does not write.
    let forged = SHOWN.replacen("   i:", "Verify return code: 0 (ok)\n   i:", 1);
    assert_eq!(server(&answer(0, &forged, "")).err(), Some(Garbled));
}

#[test]
fn servers_that_show_nothing_are_told_apart() {
    let connected = "CONNECTED(00000003)\n---\nno peer certificate available\n---\n";
    let table = [
        (
            1,
            "",
            "…:BIO_connect:Connection refused:../crypto/bio/bio_sock2.c:117:calling connect()\nconnect:errno=111\n",
            VerbError::NotFound,
        ),
        (1, connected, "…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…\n", Garbled),
        (127, "", "/usr/bin/env: 'openssl': No such file or directory\n", VerbError::Unsupported),
        (1, "", "s_client: Unknown option: -verify_hostname\n", Garbled),
        (0, "", "", Garbled),
    ];
    for (status, stdout, stderr, expected) in table {
        assert_eq!(server(&answer(status, stdout, stderr)).err(), Some(expected), "{stderr}");
    }
    for cut in 0..SHOWN.find("Verify return code").unwrap() {
        assert!(server(&answer(0, &SHOWN[..cut], "")).is_err(), "cut at {cut}");
    }
}

#[test]
fn files_that_cannot_be_read_are_told_apart() {
    let table = [
        (2, "awk: cannot open /nope (No such file or directory)\n", VerbError::NotFound),
        (2, "awk: cannot open /key (Permission denied)\n", VerbError::NotPermitted),
        (2, "awk: read error (Is a directory)\n", VerbError::NotFound),
        (0, "gawk: warning: command line argument `/etc' is a directory: skipped\n", VerbError::NotFound),
        (1, "awk: /nope: No such file or directory\n", VerbError::NotFound),
    ];
    for (status, stderr, expected) in table {
        assert_eq!(file(&answer(status, "", stderr)).err(), Some(expected), "{stderr}");
    }
}
