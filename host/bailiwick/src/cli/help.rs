//! `--help`, with the commands under headings, and `bailiwick help COMMAND|TOPIC`.
//!
//! Knows: the tree of commands, and the pages of reference. Must not know: what a command does.

use std::fmt::Write as _;

use crate::report::exit::{self, ExitCode as Exit};
use bailiwick_core::{fleet, manifest};
use bailiwick_policy::policy;
use clap::{Arg, Command, CommandFactory};

use super::{Context, GROUPS, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A command and its subcommand, or one of: policy, fleet, manifest, exit-codes
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

/// A page of reference.
pub(super) struct Topic {
    /// Its word.
    pub(super) name: &'static str,
    /// What it is about, in a line.
    pub(super) about: &'static str,
    /// The page, as Markdown.
    pub(super) page: fn() -> String,
}

/// Every topic. docs/reference has the page of each; a test compares them.
pub(super) const TOPICS: &[Topic] = &[
    Topic { name: "policy", about: "Every key of policy.toml", page: || policy::reference().markdown() },
    Topic { name: "fleet", about: "Every key of fleet.toml", page: || fleet::reference().markdown() },
    Topic { name: "manifest", about: "Every key of manifest.toml", page: || manifest::reference().markdown() },
    Topic { name: "exit-codes", about: "Every exit code", page: exit::page },
];

/// Prints the help of a command, or a topic.
pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let topic = TOPICS.iter().find(|topic| args.words == [topic.name]);
    if let Some(topic) = topic {
        context.out.text(&(topic.page)())?;
        return Ok(Exit::Fine);
    }
    let mut tree = tree();
    tree.build();
    let mut command = &mut tree;
    for word in &args.words {
        let Some(next) = command.find_subcommand_mut(word) else {
            let topics: Vec<_> = TOPICS.iter().map(|topic| topic.name).collect();
            let message = format!("there is no command or topic `{}`", args.words.join(" ").escape_default());
            let hint = format!("`bailiwick --help` lists the commands; the topics are: {}", topics.join(", "));
            return Err(fail::usage(message, hint));
        };
        command = next;
    }
    context.out.text(&command.render_long_help().to_string())?;
    Ok(Exit::Fine)
}

/// The tree of commands, with the page of `bailiwick --help`.
pub(super) fn tree() -> Command {
    let tree = super::Args::command();
    let short = template(&tree, false);
    let long = template(&tree, true);
    // Which of the two is asked for, clap knows only when it renders; it keeps both texts apart in this place alone.
    tree.help_template("{before-help}").before_help(short).before_long_help(long)
}

/// The word on the command line of a command's name in code.
fn word(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A first help page: commands by heading, global options, topics; the long one has the exit codes, too.
fn template(tree: &Command, long: bool) -> String {
    let about = if long { tree.get_long_about().or(tree.get_about()) } else { tree.get_about() };
    let about = about.map(ToString::to_string).unwrap_or_default();
    let mut text = format!("{}\n\nUsage: bailiwick [OPTIONS] COMMAND\n", wrapped(&about));
    let line = |text: &mut String, left: &str, right: &str| {
        let _ = writeln!(text, "  {left:<16} {right}");
    };
    for (heading, names) in GROUPS {
        let _ = writeln!(text, "\n{heading}:");
        for name in *names {
            let command = tree.find_subcommand(word(name));
            let about = command.and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
            line(&mut text, &word(name), &about);
        }
    }
    text.push_str("\nTopics (bailiwick help TOPIC):\n");
    for topic in TOPICS {
        line(&mut text, topic.name, topic.about);
    }
    text.push_str("\nGlobal options:\n");
    for option in tree.get_arguments().filter(|option| option.is_global_set()) {
        line(&mut text, &shown(option), &option.get_help().map(ToString::to_string).unwrap_or_default());
    }
    line(&mut text, "-h, --help", "Print help; -h prints less");
    line(&mut text, "-V, --version", "Print the version");
    if long {
        text.push_str("\nExit codes (the highest that applies):\n");
        for code in Exit::ALL {
            line(&mut text, &code.code().to_string(), code.meaning());
        }
    }
    text.push_str("\n`bailiwick COMMAND --help` prints the options of a command.");
    text
}

/// `--dir DIR`.
fn shown(option: &Arg) -> String {
    let value = option.get_value_names().filter(|_| option.get_action().takes_values());
    let value = value.and_then(<[_]>::first).map(|name| format!(" {name}")).unwrap_or_default();
    format!("--{}{value}", option.get_long().unwrap_or_default())
}

/// Paragraphs in lines of at most 80 columns.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for word in text.split(' ') {
        if at > 0 && at + 1 + word.chars().count() > 80 {
            out.push('\n');
            at = 0;
        } else if at > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at = match word.rsplit_once('\n') {
            Some((_, last)) => last.chars().count(),
            None => at + word.chars().count(),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut listed: Vec<String> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().map(|name| word(name))).collect();
        let mut commands: Vec<String> = tree().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        listed.sort();
        commands.sort();
        assert_eq!(listed, commands);
    }

    #[test]
    fn a_help_line_is_short_and_an_imperative() {
        fn walk(command: &Command) {
            for command in command.get_subcommands() {
                let about = command.get_about().map(ToString::to_string).unwrap_or_default();
                assert!((10..=60).contains(&about.len()), "{}: {about} has {}", command.get_name(), about.len());
                assert!(about.starts_with(char::is_uppercase) && !about.ends_with('.'), "{about}");
                walk(command);
            }
        }
        walk(&tree());
    }

    #[test]
    fn the_tree_is_one_that_clap_accepts() {
        tree().debug_assert();
    }
}
