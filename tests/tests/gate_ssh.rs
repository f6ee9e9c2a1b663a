//! The gate as it is installed: real sshd, real sudo, the keys in hand.

#![cfg(test)]

use std::fs;
use std::path::Path;

use bailiwick::fleet::{Access, Credential, UserName};
use bailiwick::gate::{ChangeName, GateFacts, Limits, Preview, Request, Status};
use bailiwick::transport::gate::{ChangeSession, GateError, look};
use bailiwick::transport::ssh::{Session, Settings, connect};
use bailiwick_tests::fleet::{Entry as Target, fleet, target, text};
use bailiwick_tests::gate::{FREE, read, write};
use bailiwick_tests::gate_host::{Host, Options, may_run};

const PLAN: &str = "bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22";

fn change(name: &str) -> ChangeName {
    name.parse().unwrap()
}

struct Way {
    fleet: bailiwick::fleet::Fleet,
}

impl Way {
    fn to(host: &Host) -> Self {
        let entry = Target::at("test", host.address, &host.key("read")).unwrap();
        let entry = entry.text("user", "bw-read").with("host-key", &text(&host.host_key));
        Self { fleet: fleet(&[entry], &[]).unwrap() }
    }

    async fn looks(&self) -> Session {
        connect(&self.fleet, target(&self.fleet, "test").unwrap(), &Settings::default()).await.unwrap()
    }

    async fn changes(&self, host: &Host) -> ChangeSession {
        let credential = Credential::KeyFile(host.key("change"));
        let user = UserName::new("bw-change").unwrap();
        let target = target(&self.fleet, "test").unwrap();
        assert!(matches!(target.access, Access::Ssh(_)));
        ChangeSession::open(&self.fleet, target, &user, &credential, &Settings::default()).await.unwrap()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

#[test]
fn ssh_a_change_is_begun_done_undone_and_closed_over_a_real_connection() {
    if !may_run() {
        return;
    }
    let file = format!("/var/tmp/bailiwick-gate-ssh-{}", std::process::id());
    fs::write(&file, "before\n").unwrap();
    let action = "files-change.write:/x=base#ab";
    let entries = vec![
        write(action, Path::new(&file), "after\n").unwrap(),
        read("system.load", &["/usr/bin/cat", "/proc/loadavg"], 10, 100),
    ];
    let host = Host::start(&Options { entries, limits: FREE, ..Options::default() }).unwrap();
    let way = Way::to(&host);
    run(async {
        let eyes = way.looks().await;
        let answers = look(&eyes, &[Request::Gate, Request::Preview(action.to_owned())]).await.unwrap();
        let facts = GateFacts::read(&answers[0].stdout).unwrap();
        assert_eq!((facts.list.as_str(), facts.script), (host.script.list.as_str(), host.script.digest()));
        assert_eq!((facts.disabled, facts.open, facts.begins_today), (None, None, 0));
        let preview = Preview::read(&answers[1].stdout).unwrap();
        assert!(preview.shown.for_encoder().contains("-before\n+after\n"), "{:?}", preview.shown);

        let hands = way.changes(&host).await;
        let name = change("c-1");
        let begin = Request::Begin { change: name.clone(), plan: PLAN.to_owned(), seconds: 300 };
        assert_eq!(hands.ask(begin).await.unwrap().status, Status::Exit(0));
        let step = Request::Do {
            change: name.clone(),
            step: 1,
            action: action.to_owned(),
            before: preview.before.clone(),
            after: preview.after.clone(),
            computed: None,
        };
        let done = hands.ask(step).await.unwrap();
        assert_eq!((done.status, done.state), (Status::Exit(0), Some(preview.after.clone())));
        assert_eq!(fs::read(&file).unwrap(), b"after\n");
        let undone = hands.ask(Request::Undo { change: name.clone(), step: 1 }).await.unwrap();
        assert_eq!((undone.status, undone.state), (Status::Exit(0), Some(preview.before.clone())));
        assert_eq!(fs::read(&file).unwrap(), b"before\n");
        assert_eq!(hands.ask(Request::Close(name)).await.unwrap().status, Status::Exit(0));
        hands.close().await;
        eyes.close().await;
    });
    let log = host.read("log").unwrap();
    assert!(log.contains("role=change from=127."), "{log}");
    fs::remove_file(&file).unwrap();
}
