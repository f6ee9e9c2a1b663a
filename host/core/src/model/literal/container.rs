//! Containers, and the programs that run them.

use serde::{Deserialize, Serialize};

use super::LiteralError;

/// A program that runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runtime {
    /// <https://podman.io>
    Podman,
    /// <https://docker.com>
    Docker,
}

/// One container of one runtime, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Container {
    text: String,
    runtime: Runtime,
}

impl Runtime {
    /// Parses the program's name.
    ///
    /// # Errors
    /// When it is another program.
    pub fn new(text: &str) -> Result<Self, LiteralError> {
        match text {
            "podman" => Ok(Self::Podman),
            "docker" => Ok(Self::Docker),
            _ => Err(LiteralError::Runtime),
        }
    }

    /// The program.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

impl Container {
    /// Parses `podman/NAME` or `docker/NAME`. A name has the grammar of both programs: `[A-Za-z0-9][A-Za-z0-9_.-]*`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn new(text: &str) -> Result<Self, LiteralError> {
        let (runtime, name) = text.split_once('/').ok_or(LiteralError::Container)?;
        let runtime = Runtime::new(runtime).map_err(|_| LiteralError::Container)?;
        let fits = (1..=128).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if fits { Ok(Self { text: text.to_owned(), runtime }) } else { Err(LiteralError::Container) }
    }

    /// As written in policy.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its runtime.
    #[must_use]
    pub const fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// The name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.split_once('/').map_or("", |(_, name)| name)
    }
}

impl TryFrom<String> for Container {
    type Error = LiteralError;
    fn try_from(text: String) -> Result<Self, LiteralError> {
        Self::new(&text)
    }
}

impl From<Container> for String {
    fn from(container: Container) -> Self {
        container.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers() {
        for good in ["podman/web", "docker/a_b.c-1", "podman/7"] {
            assert!(Container::new(good).is_ok(), "{good}");
        }
        for bad in [
            "web",
            "podman/",
            "podman/-x",
            "podman/.x",
            "lxc/web",
            "podman/a/b",
            "docker/a b",
            "podman/a;b",
            "Podman/a",
        ] {
            assert!(Container::new(bad).is_err(), "{bad}");
        }
    }
}
