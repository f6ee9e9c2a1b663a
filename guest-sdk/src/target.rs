//! The target of a run, and the operator's slots and parameters for it.

use crate::Failure;
#[cfg(target_arch = "wasm32")]
use crate::bindings::bailiwick::ops::{params, slots, types};
pub use crate::bindings::bailiwick::ops::{params::Value, slots::Entry};
#[cfg(not(target_arch = "wasm32"))]
use crate::fixture::Fixture;

/// A machine that this run may check. It carries no address, user or key: it has a name, and can be passed to a verb.
#[derive(Debug)]
pub struct Target {
    #[cfg(target_arch = "wasm32")]
    handle: types::Target,
    #[cfg(not(target_arch = "wasm32"))]
    fixture: Fixture,
}

impl Target {
    /// The operator's name for the machine, `[a-z0-9][a-z0-9.-]{0,63}`. Reads nothing from the machine.
    pub fn name(&self) -> String {
        #[cfg(target_arch = "wasm32")]
        return self.handle.name();
        #[cfg(not(target_arch = "wasm32"))]
        return self.fixture.name().to_owned();
    }

    /// The one entry of a slot that is not declared `many`.
    ///
    /// # Errors
    /// A failure that names the slot, if nothing is bound to it.
    pub fn slot(&self, name: &str) -> Result<Entry, Failure> {
        self.slots(name).into_iter().next().ok_or_else(|| Failure::new(["nothing is bound to slot ", name].concat()))
    }

    /// The entries of a slot, in policy's order; empty if nothing is bound or the slot does not exist.
    pub fn slots(&self, name: &str) -> Vec<Entry> {
        #[cfg(target_arch = "wasm32")]
        return slots::entries(&self.handle, name);
        #[cfg(not(target_arch = "wasm32"))]
        return self.fixture.entries(name);
    }

    /// The operator's settings for this component on this target, with the manifest's defaults.
    pub fn params(&self) -> Params<'_> {
        Params(self)
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn new(handle: types::Target) -> Self {
        Target { handle }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn handle(&self) -> &types::Target {
        &self.handle
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn new(fixture: Fixture) -> Self {
        Target { fixture }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn fixture(&self) -> &Fixture {
        &self.fixture
    }
}

/// Parameters by name. The manifest declares each with a default, and the host checks that the operator's value has
/// the default's type. An error here is therefore a bug in the component.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a>(&'a Target);

impl Params<'_> {
    /// A finite number.
    ///
    /// # Errors
    /// A failure that names the parameter, if the manifest does not declare one of that name and type.
    pub fn number(&self, name: &str) -> Result<f64, Failure> {
        match self.get(name)? {
            Value::Number(number) if number.is_finite() => Ok(number),
            _ => Err(undeclared(name, " as a number")),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// As for [`number`](Self::number).
    pub fn text(&self, name: &str) -> Result<String, Failure> {
        match self.get(name)? {
            Value::Text(text) => Ok(text),
            _ => Err(undeclared(name, " as a text")),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// As for [`number`](Self::number).
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.get(name)? {
            Value::Flag(flag) => Ok(flag),
            _ => Err(undeclared(name, " as a flag")),
        }
    }

    /// A list of texts, in the operator's order.
    ///
    /// # Errors
    /// As for [`number`](Self::number).
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        match self.get(name)? {
            Value::Texts(texts) => Ok(texts),
            _ => Err(undeclared(name, " as a list of texts")),
        }
    }

    fn get(&self, name: &str) -> Result<Value, Failure> {
        #[cfg(target_arch = "wasm32")]
        let value = params::get(&self.0.handle, name);
        #[cfg(not(target_arch = "wasm32"))]
        let value = self.0.fixture.value(name);
        value.ok_or_else(|| undeclared(name, ""))
    }
}

fn undeclared(name: &str, kind: &str) -> Failure {
    Failure::new(["parameter ", name, " is not declared", kind, " in the manifest"].concat())
}
