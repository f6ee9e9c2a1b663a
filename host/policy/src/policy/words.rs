//! The names that the words of an operator's command may contain. A never-rule reads each word in more than one way.
//!
//! Attack answered: a command that avoids a rule on a unit, a file or a container by spelling it another way: behind `=` or a
//! letter, in a list, with `//` or `..` in it, without `.service`, or with the runtime in a separate word. Too many names are
//! better than too few here. Known limit: a file that the program opens by itself is in no word.

use std::collections::BTreeSet;

/// All names that the words may contain.
pub(super) fn names_in(argv: &[String]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for word in argv {
        let bare = word.trim_start_matches('-');
        // `-f/etc/x`, `-uweb`: an option's letter and its value.
        let glued = word.strip_prefix('-').and_then(|rest| rest.get(1..)).unwrap_or_default();
        for text in [word.as_str(), bare, glued] {
            names.insert(text.to_owned());
            names.extend(text.split(['=', ',', ':']).map(str::to_owned));
            names.extend(
                text.match_indices(['=', ',', ':']).filter_map(|(at, _)| text.get(at + 1..).map(str::to_owned)),
            );
            names.extend(text.find('/').and_then(|at| text.get(at..)).map(str::to_owned));
        }
    }
    let paths: Vec<_> = names.iter().filter(|text| text.starts_with('/')).map(|text| plain(text)).collect();
    for path in paths {
        // A folder stands for its content.
        names.insert(format!("{path}/"));
        names.insert(path);
    }
    let runtimes = ["podman", "docker"].into_iter();
    for runtime in runtimes.filter(|runtime| argv.iter().any(|word| word.rsplit('/').next() == Some(runtime))) {
        let containers: Vec<_> = names.iter().map(|text| format!("{runtime}/{text}")).collect();
        names.extend(containers);
    }
    // systemd reads a name without a suffix as a service.
    let services: Vec<_> = names.iter().map(|text| format!("{text}.service")).collect();
    names.extend(services);
    names
}

/// A path without `//`, `.` and `..`.
fn plain(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::names_in;

    #[test]
    fn a_name_is_found_however_it_is_written() {
        for (words, name) in [
            (&["systemctl", "is-active", "ssh"][..], "ssh.service"),
            (&["systemctl", "show", "--property=Id", "ssh.service"], "ssh.service"),
            (&["journalctl", "-ussh"], "ssh.service"),
            (&["journalctl", "--unit=ssh"], "ssh.service"),
            (&["stat", "/etc/ssh/sshd_config"], "/etc/ssh/sshd_config"),
            (&["stat", "/etc//ssh/./sshd_config"], "/etc/ssh/sshd_config"),
            (&["stat", "/var/../etc/ssh/sshd_config"], "/etc/ssh/sshd_config"),
            (&["sshd", "-f/etc/ssh/sshd_config"], "/etc/ssh/sshd_config"),
            (&["check", "--files=/a,/etc/ssh/sshd_config"], "/etc/ssh/sshd_config"),
            (&["check", "a:b=/etc/ssh/sshd_config"], "/etc/ssh/sshd_config"),
            (&["ls", "/etc/ssh"], "/etc/ssh/"),
            (&["/usr/bin/podman", "logs", "web"], "podman/web"),
            (&["sudo", "docker", "logs", "web"], "docker/web"),
        ] {
            let argv: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            assert!(names_in(&argv).contains(name), "{words:?}: {:?}", names_in(&argv));
        }
    }
}
