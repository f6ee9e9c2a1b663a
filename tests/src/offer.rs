//! Components as a stranger would send them: built-in probes under other names, in as many versions as a test needs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

/// A folder with components that were sent, removed with the value.
#[derive(Debug)]
pub struct Offers(TempDir);

/// What a version asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A unit's status.
    Status,
    /// Its log too.
    StatusAndLogs,
}

impl Offers {
    /// An empty folder.
    ///
    /// # Errors
    /// When there is no place for it.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes `ID-VERSION/ID.wasm` and its manifest, and gives the first.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn version(&self, id: &str, version: &str, asks: Asks) -> Result<PathBuf> {
        let (name, verbs) = match asks {
            Asks::Status => ("service", "\"services.status\""),
            Asks::StatusAndLogs => ("log-errors", "\"services.status\", \"services.logs\""),
        };
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/dist").join(format!("{name}.wasm"));
        let folder = self.path().join(format!("{id}-{version}"));
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{id}.wasm"));
        fs::write(&file, other_bytes(&fs::read(built)?, version))?;
        let params =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../probes/dist/{name}.toml")))?;
        let params = params.find("[param.").and_then(|at| params.get(at..)).unwrap_or_default().to_owned();
        let manifest = format!(
            "[component]\nid = \"{id}\"\nversion = \"{version}\"\nworld = \"bailiwick:ops/probe@0.1.0\"\n\
             title = \"Looks after a unit\"\n\n[[slot]]\nname = \"unit\"\nverb = [{verbs}]\n\
             why = \"is it up\"\n\n{params}"
        );
        fs::write(file.with_extension("toml"), manifest)?;
        Ok(file)
    }
}

/// The same component in other bytes: a custom section at its end, which nothing reads.
#[must_use]
pub fn other_bytes(component: &[u8], note: &str) -> Vec<u8> {
    let name = b"note";
    let size = u8::try_from(1 + name.len() + note.len()).unwrap_or(0x7f).min(0x7f);
    let mut bytes = component.to_vec();
    bytes.extend([0, size, 4]);
    bytes.extend(name);
    bytes.extend(note.as_bytes().iter().take(usize::from(size) - 1 - name.len()));
    bytes
}
