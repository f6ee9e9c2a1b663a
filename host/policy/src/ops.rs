//! The ops directory: where it is, and everything in it, read and cross-checked before anything runs.
//!
//! Knows: which files exist. Must not know: what a sweep does with them. Attack answered: a missing or unreadable policy that
//! counts as "everything is allowed" (LK19). The directory's policy holds, or the embedded one if no directory was named; there
//! is no third case.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::grant;
use crate::grant::Grant;
use crate::library;
use crate::library::{ComponentFile, Library, LibraryError};
use crate::policy;
use crate::policy::{Assignments, Policy};
use crate::signature;
use crate::signature::{AllowedSigners, Refusal, RequiredSigner, Signer};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::fleet;
use bailiwick_core::fleet::Fleet;
use bailiwick_core::limits::{Budget, Budgets, Limits};
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_core::source;
use bailiwick_core::source::{Problem, Problems, Source};

/// The environment variables that the program uses. Read once, in `main`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `BAILIWICK_DIR`.
    pub dir: Option<PathBuf>,
    /// `BAILIWICK_STATE`.
    pub state: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `SSH_AUTH_SOCK`.
    pub agent: Option<PathBuf>,
    /// The user's name for the lock: `SUDO_USER`, else `USER`. A user can set it to anything; the uid that the lock records
    /// beside it cannot be set.
    pub user: Option<String>,
}

/// Everything that decides what may run where.
#[derive(Debug)]
pub struct Ops {
    /// The directory. None for the embedded default.
    pub dir: Option<PathBuf>,
    /// The machines.
    pub fleet: Fleet,
    /// The rules.
    pub policy: Policy,
    /// The components.
    pub library: Library,
    /// Which components check which targets, and with which bindings.
    pub assignments: Assignments,
    /// The limits of each component.
    pub budgets: Budgets,
    /// SHA-256 of each file that was read, by name.
    pub digests: BTreeMap<String, String>,
    /// Policy's rules for signatures, if it has any.
    signatures: Option<signature::Rules>,
}

/// How to treat a component that policy names and that does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Mistake,
    LeftOut,
}

/// Why the ops directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// A file or folder cannot be read, or others could have written it.
    #[error(transparent)]
    Read(#[from] source::ReadError),
    /// A component cannot be read.
    #[error(transparent)]
    Library(LibraryError),
    /// Mistakes in files, each with its place.
    #[error("invalid files")]
    Invalid(Problems),
    /// There is a fleet and no policy, so nothing is granted.
    #[error("{} holds no policy.toml, so nothing is granted\n\nhint: write one with a [[grant]]; `bailiwick help policy` lists its keys", .0.shown())]
    NoPolicy(PathBuf),
    /// The named directory has no fleet.
    #[error("{} has no fleet.toml\n\nhint: `bailiwick fleet import` writes one from your ssh_config; without an ops directory, Bailiwick checks this machine", .0.shown())]
    NoFleet(PathBuf),
}

impl Environment {
    /// Reads the environment.
    #[must_use]
    pub fn read() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            home: path("HOME"),
            dir: path("BAILIWICK_DIR"),
            state: path("BAILIWICK_STATE"),
            config_home: path("XDG_CONFIG_HOME"),
            state_home: path("XDG_STATE_HOME"),
            agent: path("SSH_AUTH_SOCK"),
            user: ["SUDO_USER", "USER"]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty())),
        }
    }

    /// The ops directory: the named one, else `$BAILIWICK_DIR`, else the current directory if it holds `fleet.toml`, else the
    /// XDG configuration directory if that holds one. None for the embedded default.
    #[must_use]
    pub fn ops_dir(&self, named: Option<&Path>) -> Option<PathBuf> {
        if let Some(dir) = named.or(self.dir.as_deref()) {
            return Some(dir.to_owned());
        }
        let config = self.config_home.clone().or_else(|| Some(self.home.as_ref()?.join(".config")));
        let candidates = [Some(PathBuf::from(".")), config.map(|config| config.join("bailiwick"))];
        candidates.into_iter().flatten().find(|dir| dir.join("fleet.toml").exists())
    }

    /// The folder of the journal: the named one, else `$BAILIWICK_STATE`, else `state` in the ops directory, else the XDG state
    /// directory.
    #[must_use]
    pub fn state_dir(&self, named: Option<&Path>, ops: Option<&Path>) -> Option<PathBuf> {
        if let Some(dir) = named.or(self.state.as_deref()) {
            return Some(dir.to_owned());
        }
        if let Some(ops) = ops {
            return Some(ops.join("state"));
        }
        let state = self.state_home.clone().or_else(|| Some(self.home.as_ref()?.join(".local/state")));
        state.map(|state| state.join("bailiwick"))
    }
}

impl Ops {
    /// Reads a directory, or the embedded default.
    ///
    /// # Errors
    /// When anything in it is missing, unsafe or wrong. A directory with a mistake is not used at all.
    pub fn load(dir: Option<&Path>, home: Option<&Path>) -> Result<Self, OpsError> {
        Self::read(dir, home, None)
    }

    /// Reads a directory as if it held these components, to show what they could do there. A component that policy names and
    /// that does not exist yet is left out, because grants are written before the component is added.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(dir: &Path, home: Option<&Path>, candidates: Vec<ComponentFile>) -> Result<Self, OpsError> {
        Self::read(Some(dir), home, Some(candidates))
    }

    fn read(dir: Option<&Path>, home: Option<&Path>, tried: Option<Vec<ComponentFile>>) -> Result<Self, OpsError> {
        let mut library = Library::built_in()?;
        let (fleet, policy) = match dir {
            None => (
                Source::embedded("built-in fleet.toml", include_str!("../../../policies/default/fleet.toml")),
                Source::embedded("built-in policy.toml", include_str!("../../../policies/default/policy.toml")),
            ),
            Some(dir) => {
                if !dir.join("fleet.toml").exists() {
                    return Err(OpsError::NoFleet(dir.to_owned()));
                }
                if !dir.join("policy.toml").exists() {
                    return Err(OpsError::NoPolicy(dir.to_owned()));
                }
                source::check_permissions(dir)?;
                library.add_folder(&dir.join("components"))?;
                (Source::read(&dir.join("fleet.toml"))?, Source::read(&dir.join("policy.toml"))?)
            }
        };
        let unknown = if tried.is_some() { Unknown::LeftOut } else { Unknown::Mistake };
        for file in tried.unwrap_or_default() {
            library.insert_candidate(file)?;
        }
        Self::build(dir, home, library, &fleet, &policy, unknown)
    }

    /// Combines fleet, policy and library, and checks them against each other.
    ///
    /// # Errors
    /// When anything in it is wrong.
    pub fn assemble(
        dir: Option<&Path>,
        home: Option<&Path>,
        library: Library,
        fleet: &Source,
        policy: &Source,
    ) -> Result<Self, OpsError> {
        Self::build(dir, home, library, fleet, policy, Unknown::Mistake)
    }

    fn build(
        dir: Option<&Path>,
        home: Option<&Path>,
        library: Library,
        fleet: &Source,
        policy: &Source,
        unknown: Unknown,
    ) -> Result<Self, OpsError> {
        let digest_of = |source: &Source| (source.name().to_owned(), library::digest(source.text().as_bytes()));
        let mut digests: BTreeMap<_, _> = [fleet, policy].map(digest_of).into();
        // Both files are read to the end, so that one run shows the mistakes of both.
        let base = dir.unwrap_or(Path::new("/"));
        let (fleet, mut policy) = both(fleet::parse(fleet, base, home), policy::parse(policy))?;
        if unknown == Unknown::LeftOut {
            policy.leave_out_unknown(library.components());
        }
        let resolved =
            policy::resolve(&policy, &fleet, library.components()).map_err(|problems| nearby(&policy, problems));
        let (assignments, budgets) = both(resolved, policy::budgets(&policy, library.components()))?;
        policy::check_windows(&policy.change, &policy.windows, &policy.calendar, &fleet).map_err(OpsError::Invalid)?;
        policy::check_anchors(&policy.anchors, &fleet, &policy.never).map_err(OpsError::Invalid)?;
        policy::resolve_anchor_keys(&mut policy.anchors, base, home).map_err(OpsError::Invalid)?;
        let signatures = match &policy.signatures {
            Some(signatures) => {
                let source = read_named(&signatures.allowed_signers, base).map_err(OpsError::Invalid)?;
                digests.extend([digest_of(&source)]);
                Some(rules(&policy, signatures, &source, &library).map_err(OpsError::Invalid)?)
            }
            None => None,
        };
        let dir = dir.map(Path::to_owned);
        Ok(Self { dir, fleet, policy, library, assignments, budgets, digests, signatures })
    }

    /// Who signed a component, if policy has rules for signatures. A built-in component is part of the program and needs no
    /// signature.
    ///
    /// # Errors
    /// When policy refuses its signature, or requires one that is missing.
    pub fn signer(&self, id: &ComponentId, now: Timestamp) -> Result<Option<Signer>, Refusal> {
        let Some(rules) = &self.signatures else { return Ok(None) };
        let binary = match self.library.binary(id) {
            Some(binary) if binary.path.is_some() => binary,
            _ => return Ok(None),
        };
        let of_it = |grant: &&policy::Grant| grant.components.iter().any(|name| name.value == id.as_str());
        let wanted: Vec<_> = self.policy.grants.iter().filter(of_it).filter_map(wanted).collect();
        let signer = rules.check(id, &binary.bytes, self.library.signature(id), &wanted, now)?;
        // A manifest beside the component holds id, version and settings, and is not signed.
        match self.library.manifest_digest(id) {
            Some(_) if signer.is_some() => Err(Refusal::Unsealed { component: id.clone() }),
            _ => Ok(signer),
        }
    }

    /// The file with the approvers, and who is in it; none if policy names none.
    ///
    /// # Errors
    /// When it cannot be read, or has a mistake.
    pub fn approvers(&self) -> Result<Option<(Source, AllowedSigners)>, OpsError> {
        let Some(file) = &self.policy.change.approvers else { return Ok(None) };
        let source = read_named(file, self.dir.as_deref().unwrap_or(Path::new("/"))).map_err(OpsError::Invalid)?;
        let approvers = AllowedSigners::parse(&source, &TimeZone::system()).map_err(OpsError::Invalid)?;
        Ok(Some((source, approvers)))
    }

    /// The grant of a component on a target. `None` if policy does not assign it there.
    #[must_use]
    pub fn grant(&self, component: &ComponentId, target: &TargetName) -> Option<Grant> {
        let assignment = self.assignments.get(target)?.get(component)?;
        let manifest = self.library.manifest(component.as_str())?;
        let target = self.fleet.targets.get(target)?;
        Some(grant::compute(manifest, target, assignment, grant::Exclusions::from(&self.policy)))
    }

    /// The targets that policy assigns to a component, in name order.
    pub fn targets_of(&self, component: &ComponentId) -> impl Iterator<Item = &TargetName> {
        let given = self.assignments.iter().filter(move |(_, assigned)| assigned.contains_key(component));
        given.map(|(target, _)| target)
    }

    /// SHA-256 over all files that were read. A plan records it. The directory's path is not part of it.
    #[must_use]
    pub fn digest(&self) -> String {
        let name = |path: &str| Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        let mut lines: Vec<_> =
            self.digests.iter().map(|(path, sha)| format!("{sha}  {}\n", name(path).unwrap_or_default())).collect();
        lines.sort();
        library::digest(lines.concat().as_bytes())
    }

    /// What a component may use.
    #[must_use]
    pub fn limits(&self, component: &ComponentId) -> &Limits {
        self.budget(component).limits()
    }

    /// The limits of a component, and the lines of policy that set them.
    #[must_use]
    pub fn budget(&self, component: &ComponentId) -> &Budget {
        self.budgets.for_component(component)
    }

    /// Never-hosts that a grant names. They stay out of reach, and a sweep reports them.
    pub fn never_named(&self) -> impl Iterator<Item = TargetName> {
        let named = self.policy.grants.iter().flat_map(|grant| &grant.on);
        named.filter_map(|on| self.fleet.never.get_key_value(on.value.as_str()).map(|(name, _)| name.clone()))
    }

    /// True for the name of a target, or of a never-host, which is then refused.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.fleet.targets.contains_key(name) || self.fleet.never.contains_key(name)
    }
}

/// Points to the file of an unknown component, if it is in the current directory.
fn nearby(policy: &Policy, mut problems: Problems) -> Problems {
    for name in policy.grants.iter().flat_map(|grant| &grant.components) {
        let (message, _) = policy::unknown_component(&name.value, std::iter::empty());
        let file = format!("{}.wasm", name.value);
        if ComponentId::new(&name.value).is_ok() && Path::new(&file).is_file() {
            for problem in problems.0.iter_mut().filter(|problem| problem.message == message) {
                problem.hint = Some(format!("`bailiwick add {file}` adds the one in the current directory"));
            }
        }
    }
    problems
}

/// Reads a file that a line of policy names. If that fails, the line is the place of the mistake.
fn read_named(file: &policy::Setting<String>, base: &Path) -> Result<Source, Problems> {
    Source::read(&base.join(&file.value)).map_err(|error| {
        let text = error.to_string();
        let (message, hint) = text.split_once("\n\nhint: ").unwrap_or((&text, ALLOWED_SIGNERS));
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Problem::at(file.place.clone(), format!("{message}{cause}")).hint(hint).into()
    })
}

/// How to make a file of keys that policy names.
const ALLOWED_SIGNERS: &str =
    "write the file with a line `NAME ssh-ed25519 AAAA…` for each person, as in `man ssh-keygen` (ALLOWED SIGNERS)";

/// The signers that a grant names.
fn wanted(grant: &policy::Grant) -> Option<RequiredSigner> {
    let place = grant.signers.first()?.place.clone();
    Some(RequiredSigner { principals: grant.signers.iter().map(|signer| signer.value.clone()).collect(), place })
}

/// Policy's rules, with every name in them looked up.
fn rules(
    policy: &Policy,
    signatures: &policy::Signatures,
    source: &Source,
    library: &Library,
) -> Result<signature::Rules, Problems> {
    let allowed = AllowedSigners::parse(source, &TimeZone::system())?;
    let mut problems = Problems::default();
    for grant in policy.grants.iter().filter(|grant| !grant.signers.is_empty()) {
        for signer in grant.signers.iter().filter(|signer| !allowed.knows(&signer.value)) {
            let message = format!("{} lists no ssh-ed25519 key for `{}`", source.name(), signer.value.escape_debug());
            problems.push(Problem::at(signer.place.clone(), message).hint("add a line with the key there"));
        }
        for name in grant.components.iter().filter(|name| library.is_built_in(&name.value)) {
            let message = format!("`{}` is built in and has no signature", name.value);
            problems.push(Problem::at(name.place.clone(), message).hint("name it in a grant without `signers`"));
        }
    }
    problems.or(signature::Rules { allowed, require: signatures.require.clone() })
}

/// Two results, or the mistakes of both.
fn both<A, B>(a: Result<A, Problems>, b: Result<B, Problems>) -> Result<(A, B), OpsError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(Problems(mut first)), Err(Problems(second))) => {
            first.extend(second);
            Err(OpsError::Invalid(Problems(first)))
        }
        (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => Err(OpsError::Invalid(problems)),
    }
}

impl From<LibraryError> for OpsError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Invalid(problems) => Self::Invalid(problems),
            other => Self::Library(other),
        }
    }
}

impl OpsError {
    /// The mistakes that have a place in a file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(Problems(problems)) => problems,
            _ => &[],
        }
    }
}
