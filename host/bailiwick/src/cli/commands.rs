//! Makes the command line, the groups of `--help` and the dispatch from one table of commands.

/// Makes `Command`, `GROUPS` and `Command::run` out of headings with commands: help, name, options, function.
macro_rules! commands {
    ($($heading:literal { $( $(#[$meta:meta])* $name:ident($args:ty) => $run:path; )* })*) => {
        #[derive(Debug, clap::Subcommand)]
        enum Command {
            $($( $(#[$meta])* $name($args), )*)*
        }

        /// The headings of `--help` and the commands under each, as they are called in code.
        const GROUPS: &[(&str, &[&str])] = &[$(($heading, &[$(stringify!($name)),*])),*];

        impl Command {
            /// The word on the command line.
            fn word(&self) -> String {
                match self {
                    $($( Self::$name(_) => help::word(stringify!($name)), )*)*
                }
            }

            fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
                match self {
                    $($( Self::$name(args) => Ok($run(context, args)?.into()), )*)*
                }
            }
        }
    };
}

pub(super) use commands;
