//! `--help`, with the commands under headings, and `bailiwick help COMMAND|TOPIC`.
//!
//! Knows: the tree of commands, and the pages of reference. Must not know: what a command does.

use std::fmt::Write as _;

use crate::report::exit::{self, ExitCode as Exit};
use bailiwick_core::nearest::{choices, did_you_mean};
use bailiwick_core::reference::Page;
use bailiwick_core::{fleet, manifest, wrap};
use bailiwick_policy::policy;
use clap::{Arg, Command, CommandFactory};

use super::{Context, GROUPS, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A command, or one of: policy, fleet, manifest, exit-codes
    ///
    /// A second word is a subcommand, or a table of the file: `bailiwick help policy grant`.
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

/// A page of reference.
pub(super) struct Topic {
    /// Its word.
    pub(super) name: &'static str,
    /// What it is about, in a line.
    pub(super) about: &'static str,
    /// What it prints.
    page: Pages,
}

/// Where the text of a topic comes from. Each has a Markdown form, too, in docs/reference.
enum Pages {
    /// The reference of a file.
    File(fn() -> Page),
    /// Any other text.
    Text(fn(usize) -> String),
}

impl Topic {
    /// All of it, as plain text.
    pub(super) fn text(&self, width: usize) -> String {
        match self.page {
            Pages::File(page) => page().plain(None, width),
            Pages::Text(text) => text(width),
        }
    }
}

/// Every topic. docs/reference has the page of each; a test compares them.
pub(super) const TOPICS: &[Topic] = &[
    Topic { name: "policy", about: "Every key of policy.toml", page: Pages::File(policy::reference) },
    Topic { name: "fleet", about: "Every key of fleet.toml", page: Pages::File(fleet::reference) },
    Topic { name: "manifest", about: "Every key of manifest.toml", page: Pages::File(manifest::reference) },
    Topic { name: "exit-codes", about: "Every exit code", page: Pages::Text(exit::plain) },
];

/// Prints the help of a command, or a topic.
pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let topic = TOPICS.iter().find(|topic| args.words.first().is_some_and(|word| word == topic.name));
    if let Some(topic) = topic {
        let width = context.out.width();
        let text = match (&topic.page, args.words.get(1)) {
            (Pages::File(page), Some(name)) => table(&page(), name, width)?,
            _ => topic.text(width),
        };
        context.out.text(&text)?;
        return Ok(Exit::Fine);
    }
    let mut tree = tree();
    tree.build();
    let mut command = &mut tree;
    for word in &args.words {
        let Some(next) = command.find_subcommand_mut(word) else {
            let topics = TOPICS.iter().map(|topic| topic.name);
            let commands = GROUPS.iter().flat_map(|(_, names)| names.iter().map(|name| self::word(name)));
            let known: Vec<String> = commands.chain(topics.map(str::to_owned)).collect();
            let message = format!("there is no command or topic `{}`", args.words.join(" ").escape_default());
            let hint =
                did_you_mean(word, known.iter().map(String::as_str)) + "`bailiwick --help` lists commands and topics";
            return Err(fail::usage(message, hint));
        };
        command = next;
    }
    context.out.text(&without_trailing_spaces(&command.render_long_help().to_string()))?;
    Ok(Exit::Fine)
}

/// The tables of a file with this name, written with or without its brackets.
fn table(page: &Page, name: &str, width: usize) -> anyhow::Result<String> {
    let wanted = name.trim_matches(['[', ']']).split('.').next().unwrap_or_default();
    let text = page.plain(Some(wanted), width);
    if text.is_empty() {
        let mut names: Vec<_> = page.tables.iter().map(|table| table.name()).collect();
        names.dedup();
        let message = format!("{} has no table `{}`", page.file, name.escape_default());
        return Err(fail::usage(message, choices(wanted, names, "tables")));
    }
    Ok(text)
}

/// The tree of commands, with the page of `bailiwick --help`.
pub(super) fn tree() -> Command {
    let tree = super::Args::command();
    let short = template(&tree, false);
    let long = template(&tree, true);
    // Which of the two is asked for, clap knows only when it renders; it keeps both texts apart in this place alone.
    tree.help_template("{before-help}").before_help(short).before_long_help(long)
}

/// A page without the spaces that clap leaves at the ends of lines.
pub(super) fn without_trailing_spaces(page: &str) -> String {
    page.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The word on the command line of a command's name in code.
pub(super) fn word(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A first help page: commands by heading, global options, topics; the long one has the exit codes, too.
fn template(tree: &Command, long: bool) -> String {
    let about = if long { tree.get_long_about().or(tree.get_about()) } else { tree.get_about() };
    let about = about.map(ToString::to_string).unwrap_or_default();
    let mut text =
        format!("{}\n\nUsage: bailiwick [OPTIONS] <COMMAND>\n", wrap::page(&about, wrap::COLUMNS).trim_end());
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
    let other = if long { "a summary with '-h'" } else { "more with '--help'" };
    line(&mut text, "-h, --help", &format!("Print help (see {other})"));
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

    /// What `-h` prints of an option; `--help` has more below it.
    #[test]
    fn the_help_of_an_option_is_a_line() {
        fn walk(command: &Command) {
            for option in command.get_arguments() {
                let help = option.get_help().map(ToString::to_string).unwrap_or_default();
                let name = option.get_id();
                assert!((6..=60).contains(&help.len()), "{} {name}: {help} has {}", command.get_name(), help.len());
                assert!(help.starts_with(char::is_uppercase) && !help.ends_with('.'), "{name}: {help}");
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&tree());
    }

    #[test]
    fn the_tree_is_one_that_clap_accepts() {
        tree().debug_assert();
    }
}
