//! The reference of `fleet.toml`. A test compares it with the keys that the parser takes.

use crate::reference::{Key, Page, Table};

/// Every table and key of `fleet.toml`.
#[must_use]
pub fn reference() -> Page {
    let path = "a path; `~/` is the home directory, a relative path starts at the ops directory";
    Page {
        file: "fleet.toml",
        about: "The machines: how each is reached, its pinned host key, and the machines that are never reached. \
                The file is in the ops directory. `bailiwick fleet import` prints it from your SSH configuration. An unknown \
                key is an error.",
        tables: vec![
            Table {
                header: "[targets.NAME]",
                about: "A machine on which components run. NAME is the name that commands, policy and reports use.",
                keys: vec![
                    Key::optional(
                        "local",
                        "boolean",
                        false,
                        "local = true",
                        "The target is the machine that runs Bailiwick. It then has no address, user or key.",
                    ),
                    Key::required(
                        "address",
                        "string",
                        "address = \"192.0.2.11\"",
                        "The address of the SSH server. Not allowed with `local = true`.",
                    )
                    .allowed("an IP address or a host name; an IP address behind a jump host"),
                    Key::optional("port", "integer", 22, "port = 2222", "The TCP port of the SSH server.")
                        .allowed(format!("1 to {}", u16::MAX)),
                    Key::required(
                        "user",
                        "string",
                        "user = \"bw-read\"",
                        "The SSH user for checks. Not allowed with `local = true`.",
                    ),
                    Key::optional(
                        "identity",
                        "string",
                        "none; required without `agent-key`",
                        "identity = \"~/.ssh/id_ed25519\"",
                        "The file of the private key. A target over SSH has either `identity` or `agent-key`.",
                    )
                    .allowed(path),
                    Key::optional(
                        "agent-key",
                        "string",
                        "none; required without `identity`",
                        "agent-key = \"ssh-ed25519 AAAA…\"",
                        "The public key of a key that the SSH agent holds.",
                    ),
                    Key::optional(
                        "host-key",
                        "string",
                        "none; the target is refused until its key is pinned",
                        "host-key = \"ssh-ed25519 AAAA…\"",
                        "The pinned host key, as `ssh-keyscan` prints it without the host. Two targets cannot have the same key.",
                    ),
                    Key::optional(
                        "jump",
                        "string",
                        "none; a direct connection",
                        "jump = \"bastion\"",
                        "The target through which this one is reached.",
                    )
                    .allowed("the name of another target over SSH"),
                    Key::optional(
                        "tags",
                        "list of strings",
                        "[]",
                        "tags = [\"linux\", \"db\"]",
                        "Tags that policy can name as `tag:linux`.",
                    ),
                    Key::optional(
                        "gate",
                        "table",
                        "none; no change is possible on the target",
                        "gate = { user = \"bw-change\", identity = \"keys/bw-change\" }",
                        "The account for changes; see the next table.",
                    ),
                ],
            },
            Table {
                header: "[targets.NAME.gate]",
                about: "The account and key for changes on the target. They must differ from the target's own account and key. \
                        `bailiwick gate install-script NAME` prints the script that installs the gate.",
                keys: vec![
                    Key::required("user", "string", "user = \"bw-change\"", "The SSH user for changes."),
                    Key::required(
                        "identity",
                        "string",
                        "identity = \"keys/bw-change\"",
                        "The file of its private key.",
                    )
                    .allowed(path),
                    Key::optional(
                        "certificate",
                        "string",
                        "none",
                        "certificate = \"keys/bw-change-cert.pub\"",
                        "The file of a certificate for the key.",
                    )
                    .allowed(path),
                    Key::optional(
                        "from",
                        "string",
                        "none; from any address",
                        "from = \"192.0.2.5\"",
                        "The only address from which the target accepts the keys for checks and for changes.",
                    )
                    .allowed("an IP address or a host name"),
                ],
            },
            Table {
                header: "[never.NAME]",
                about: "A never-host: a machine to which no connection is made, whatever policy grants.",
                keys: vec![
                    Key::optional(
                        "addresses",
                        "list of strings",
                        "[]; required without a host key",
                        "addresses = [\"192.0.2.1\"]",
                        "Addresses and names of the machine.",
                    ),
                    Key::optional(
                        "host-key",
                        "string",
                        "none",
                        "host-key = \"ssh-ed25519 AAAA…\"",
                        "A host key of the machine. The machine is refused at any address, before login.",
                    ),
                    Key::optional(
                        "host-keys",
                        "list of strings",
                        "[]",
                        "host-keys = [\"ssh-ed25519 AAAA…\"]",
                        "Several host keys of the machine.",
                    ),
                    Key::required(
                        "why",
                        "string",
                        "why = \"The firewall is not an operations target.\"",
                        "The reason. It is part of every refusal.",
                    ),
                ],
            },
        ],
    }
}
