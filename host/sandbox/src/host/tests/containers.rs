//! Output of podman 4.3.1 (Debian 12) and of docker's client 28, and hostile variants of it. Docker's client was connected to
//! podman's service, so its format is docker's, but the daemon was not.

use super::*;
use crate::host::{container_logs, containers};
use bailiwick_bindings::ops::containers::{Channel, Health, State};

const PODMAN: &str = include_str!("../containers/podman-ps.json");
const DOCKER: &str = include_str!("../containers/docker-ps.json");
const SICK: &str = include_str!("../containers/podman-inspect-sick.json");
const LOOP: &str = include_str!("../containers/podman-inspect-loop.json");
const FRESH: &str = include_str!("../containers/podman-inspect-fresh.json");
const DOCKER_SICK: &str = include_str!("../containers/docker-inspect-sick.json");
const WEB: &str = include_str!("../containers/podman-inspect-web.json");

#[test]
fn what_was_recorded() {
    let listed = [PODMAN, DOCKER].map(|text| containers::list(&answer(0, text, "")).unwrap());
    let inspected = [SICK, LOOP, FRESH, WEB, DOCKER_SICK]
        .map(|text| containers::status(&answer(0, text, ""), Context::default()).unwrap());
    insta::assert_debug_snapshot!((listed, inspected));
}

#[test]
fn ar11_nothing_of_an_environment_is_handed_on_or_kept() {
    let parsed = containers::status(&answer(0, WEB, ""), Context::default()).unwrap();
    assert!(WEB.contains("hunter2") && !format!("{parsed:?}").contains("hunter2"));
    // Redaction removes it before the journal and the reader get it.
    let kept =
        bailiwick_core::redact::Redactor::default().bytes(WEB.into(), &mut bailiwick_core::redact::Counts::new());
    let kept = String::from_utf8(kept).unwrap();
    assert!(!kept.contains("hunter2") && kept.contains("\"SECRET_THING=[redacted:environment]\""), "{kept}");
    assert_eq!(containers::status(&answer(0, &kept, ""), Context::default()).unwrap().name, "web");
}

#[test]
fn words_of_docker_and_of_others() {
    let line = |names: &str, state: &str, status: &str| {
        format!("{{\"Names\":\"{names}\",\"Image\":\"i\",\"State\":\"{state}\",\"Status\":\"{status}\"}}\n")
    };
    let read = |text: &str| containers::list(&answer(0, text, "")).map(|mut all| all.remove(0));
    for (status, expected) in [
        ("Up 3 hours", Health::None),
        ("Up 2 minutes (health: starting)", Health::Starting),
        ("Up 3 hours (healthy)", Health::Healthy),
        ("Up 3 hours (unhealthy)", Health::Unhealthy),
        ("Up 3 hours (puzzled)", Health::Other),
    ] {
        assert_eq!(read(&line("web", "running", status)).unwrap().health, expected, "{status}");
    }
    let again = read(&line("web", "restarting", "Restarting (137) 3 seconds ago")).unwrap();
    assert_eq!((again.state, again.exit_code), (State::Restarting, Some(137)));
    assert_eq!(read(&line("app/db,db", "running", "Up")).unwrap().name, "db", "what another calls it is not its name");
    assert_eq!(read(&line("web", "pondering", "Up")).unwrap().state, State::Other);
    assert_eq!(read(&line("web", "", "Up")).unwrap_err(), Garbled);
    assert_eq!(read(&line("", "running", "Up")).unwrap_err(), Garbled);
    assert_eq!(read(&line("web", "exited", "Exited (x) ago")).unwrap_err(), Garbled);
    assert_eq!(containers::list(&answer(0, "[]\n", "")).unwrap().len(), 0);
    assert_eq!(containers::list(&answer(0, "json\njson\n", "")).unwrap_err(), Unsupported, "docker before 23");
}

#[test]
fn a_container_is_known_by_its_name_and_not_by_its_id() {
    let status_of = |literal| {
        containers::status(&answer(0, DOCKER_SICK, ""), Context { literal: Some(literal), ..Context::default() })
    };
    assert!(status_of("docker/sick").is_ok());
    for other in ["docker/1fa9cabe", "sick"] {
        assert_eq!(status_of(other).unwrap_err(), NotFound, "{other}");
    }
}

#[test]
fn tg05_what_is_twice_too_many_or_of_another_type_is_not_read() {
    let damage = [
        ("\"Status\": \"running\"", "\"Status\": \"running\", \"Status\": \"exited\""),
        ("\"RestartCount\": 0", "\"RestartCount\": -1"),
        ("\"RestartCount\": 0", "\"RestartCount\": 1e99"),
        ("\"RestartCount\": 0", "\"RestartCount\": \"0\""),
        ("\"OOMKilled\": false", "\"OOMKilled\": null"),
        ("\"StartedAt\": \"2026", "\"StartedAt\": \"soon"),
        ("\"Name\": \"sick\"", "\"Names\": \"sick\""),
    ];
    for (good, bad) in damage {
        assert!(SICK.contains(good), "{good}");
        assert_eq!(parse(Verb::ContainersStatus, &answer(0, &SICK.replacen(good, bad, 1), "")), Err(Garbled), "{bad}");
    }
    let two = format!("[{0},{0}]\n", SICK.trim().trim_start_matches('[').trim_end_matches(']'));
    for text in [two.as_str(), "[]\n", "{}\n", "null\n", "[[[[\n", &format!("{}\n", "[".repeat(100_000))] {
        assert_eq!(parse(Verb::ContainersStatus, &answer(0, text, "")), Err(Garbled), "{}", text.len());
    }
    for text in ["{}\n", "[{}]\n", "[1]\n", "CONTAINER ID  IMAGE\n", "Welcome!\n[]\n", "[]\nx\n"] {
        assert_eq!(parse(Verb::ContainersList, &answer(0, text, "")), Err(Garbled), "{text}");
    }
}

#[test]
fn why_there_is_no_answer() {
    use Verb::{ContainersList, ContainersLogs, ContainersStatus};
    let table: &[(Verb, u32, &str, VerbError)] = &[
        (ContainersList, 127, "/usr/bin/env: 'podman': No such file or directory\n", Unsupported),
        (
            ContainersList,
            1,
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
            Unsupported,
        ),
        (
            ContainersList,
            1,
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix /var/run/docker.sock: connect: permission denied\n",
            NotPermitted,
        ),
        (
            ContainersList,
            125,
            "Error: creating runtime static files directory: mkdir /usr/sbin/.local: permission denied\n",
            NotPermitted,
        ),
        (ContainersList, 125, "unknown flag: --no-trunc\n", Unsupported),
        (ContainersStatus, 125, "Error: inspecting object: no such container nope\n", NotFound),
        (ContainersStatus, 1, "Error: No such container: nope\n", NotFound),
        (ContainersLogs, 125, "Error: no container with name or ID \"nope\" found: no such container\n", NotFound),
        (
            ContainersLogs,
            1,
            "Error response from daemon: configured logging driver does not support reading\n",
            Unsupported,
        ),
        (
            ContainersLogs,
            125,
            "Error: this container is using the 'none' log driver, cannot read logs: this container is not logging output\n",
            Unsupported,
        ),
        (ContainersLogs, 125, "Error: Etwas ist schiefgegangen\n", Garbled),
    ];
    for &(verb, status, stderr, error) in table {
        assert_eq!(parse(verb, &answer(status, "", stderr)), Err(error), "{verb}: {status} {stderr}");
    }
}

#[test]
fn both_streams_are_one_log_by_time() {
    let stdout =
        "2026-11-22T04:17:25.130432305Z one\n2026-11-22T04:17:27.573913854+01:00 zero\n2026-11-22T04:17:27Z \n";
    let stderr = "time=\"2026-11-22T04:17:00Z\" level=warning msg=\"the cgroup manager is systemd\"\n\
        2026-11-22T04:17:26.000000001Z two: it failed\r\nbash: warning: setlocale\n";
    let lines = container_logs::logs(&answer(0, stdout, stderr)).unwrap();
    let read: Vec<_> = lines.iter().map(|line| (line.channel, line.text.as_str())).collect();
    assert_eq!(
        read,
        [
            (Channel::Output, "zero"),
            (Channel::Output, "one"),
            (Channel::Error, "two: it failed"),
            (Channel::Output, "")
        ]
    );
    assert_eq!(lines[1].time_ms, 1_795_321_045_130);
    for text in ["no time\n", "2026-11-22T04:17:25Z cut", "2026-13-22T04:17:25Z x\n", "\n"] {
        assert_eq!(parse(Verb::ContainersLogs, &answer(0, text, "")), Err(Garbled), "{text:?}");
    }
    let many = "2026-11-22T04:17:25Z x\n".repeat(1_001);
    assert_eq!(parse(Verb::ContainersLogs, &answer(0, &many, "")), Err(Garbled), "more than was asked for");
}
