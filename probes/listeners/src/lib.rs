//! Listening sockets, compared with a list of expected ones.
//!
//! With an empty list there is one finding, severity ok, that lists the open ports. With a list, each port that is not on it
//! is a warning. A port on the list that is closed is not reported.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    network::{self, Listener, Protocol},
    text,
};

struct Listeners;

impl Probe for Listeners {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let expected = target.params().texts("expected")?;
        let expected: Vec<Expected> = expected.iter().map(|entry| Expected::parse(entry)).collect::<Result<_, _>>()?;
        let public_only = target.params().flag("public-only")?;

        let all = network::listeners(target)?;
        let ports = group(all.iter().filter(|listener| !public_only || !is_loopback(&listener.address)));
        let unexpected: Vec<&Port<'_>> = ports
            .iter()
            .filter(|port| !expected.is_empty() && !expected.iter().any(|entry| entry.covers(port)))
            .collect();

        let listen = if public_only { "open beyond loopback" } else { "open" };
        let (severity, title) = match (unexpected.len(), ports.as_slice()) {
            (0, []) => (Severity::Ok, format!("no port is {listen}")),
            (0, some) => {
                let verb = if some.len() == 1 { "is" } else { "are" };
                let list = text::list(some.iter().map(Port::name), 12);
                (Severity::Ok, format!("{} {verb} {listen}: {list}", text::count(some.len(), "port")))
            }
            (count, some) => (
                Severity::Warning,
                format!(
                    "{count} of {} {listen} {} not expected",
                    text::count(some.len(), "port"),
                    if count == 1 { "is" } else { "are" },
                ),
            ),
        };
        let mut report = Report::from(
            Finding::new(severity, "listeners", "", title)
                .metric("ports", ports.len(), Unit::Count)
                .metric("unexpected", unexpected.len(), Unit::Count)
                .because(&all),
        );
        report.extend(unexpected.iter().map(|port| {
            let name = port.name();
            let title =
                format!("{name} is open on {} (uid {}), not expected", text::list(&port.addresses, 3), port.uid);
            Finding::warning("unexpected-listener", name, title).because(&all)
        }));
        Ok(report)
    }
}

/// All sockets on one port; `uid` is that of the first.
struct Port<'a> {
    protocol: Protocol,
    port: u16,
    uid: u32,
    addresses: Vec<&'a str>,
}

impl Port<'_> {
    fn name(&self) -> String {
        match self.protocol {
            Protocol::Tcp => format!("tcp/{}", self.port),
            Protocol::Udp => format!("udp/{}", self.port),
        }
    }
}

/// Listeners come ordered by protocol and port.
fn group<'a>(listeners: impl Iterator<Item = &'a Listener>) -> Vec<Port<'a>> {
    let mut ports: Vec<Port<'a>> = Vec::new();
    for listener in listeners {
        match ports.last_mut() {
            Some(port) if port.protocol == listener.protocol && port.port == listener.port => {
                if !port.addresses.contains(&listener.address.as_str()) {
                    port.addresses.push(&listener.address);
                }
            }
            _ => ports.push(Port {
                protocol: listener.protocol,
                port: listener.port,
                uid: listener.uid,
                addresses: vec![&listener.address],
            }),
        }
    }
    ports
}

fn is_loopback(address: &str) -> bool {
    address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.")
}

/// One entry of the parameter: `tcp/22`, or a range such as `udp/32768-60999`.
struct Expected {
    protocol: Protocol,
    first: u16,
    last: u16,
}

impl Expected {
    fn parse(entry: &str) -> Result<Self, Failure> {
        let parse = || {
            let (protocol, ports) = entry.split_once('/')?;
            let protocol = match protocol {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => return None,
            };
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            Some(Expected { protocol, first: first.parse().ok()?, last: last.parse().ok()? })
        };
        parse()
            .ok_or_else(|| Failure::new(format!("parameter expected: `{entry}` is not like tcp/22 or udp/5000-5999")))
    }

    fn covers(&self, port: &Port<'_>) -> bool {
        self.protocol == port.protocol && (self.first..=self.last).contains(&port.port)
    }
}

bailiwick_guest::export!(Listeners);
