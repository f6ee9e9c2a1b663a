//! Verifies who signed a component, and whether policy accepts that signer.
//!
//! Knows: signatures by SSH keys, and the list of allowed signers. Must not know: files, components' content, locks. Attacks
//! answered: an unsigned component, or one of another author, under a name that others may use (LK09, D6).
//!
//! A component's signature is `NAME.wasm.sig` beside it, made by `ssh-keygen -Y sign -n bailiwick-component -f KEY NAME.wasm`.
//! Keys are an inventory, as host keys are (D19): a key that is not listed is refused.
//!
//! **Invariant:** `ssh-keygen -Y verify` accepts every signature that is accepted here. A test compares both.

mod allowed;
mod pattern;
mod sshsig;
mod time;

use jiff::Timestamp;

pub use self::allowed::{AllowedSigners, KeyListing};
pub use self::sshsig::{NAMESPACE, SIGNATURE_BYTES_MAX, SignError, Signature, SshsigError, sign};
use bailiwick_core::model::ComponentId;
use bailiwick_core::source::Place;

/// Who signed a component.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Signer {
    /// The principal that policy required. If it required none, the pattern list before the key.
    pub principal: String,
    /// The key's fingerprint, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
}

/// Policy's rules for signatures.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The allowed signers.
    pub allowed: AllowedSigners,
    /// The place of the rule that requires every component to be signed. None if a signature is optional.
    pub require: Option<Place>,
}

/// The principals one of whom must have signed a component.
#[derive(Debug, Clone)]
pub struct RequiredSigner {
    /// Literal principals.
    pub principals: Vec<String>,
    /// The place in policy.
    pub place: Place,
}

/// Why a component may not run here because of its signature (E-LOAD-SIG).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature.
    #[error(
        "it is not signed, and {rule} requires a signature\n\nhint: the signer runs `ssh-keygen -Y sign -n {NAMESPACE} -f KEY {component}.wasm`; put {component}.wasm.sig beside it"
    )]
    Missing {
        /// The component.
        component: ComponentId,
        /// The line of policy.
        rule: String,
    },
    /// The signature is not valid, or is of another file.
    #[error("{component}.wasm.sig is refused: {source}")]
    Invalid {
        /// The component.
        component: ComponentId,
        /// The reason.
        source: SshsigError,
    },
    /// The signature covers the component's bytes, but the manifest is in another file.
    #[error(
        "{component}.wasm.sig does not cover {component}.toml beside it, so the manifest is not signed\n\nhint: only a sealed component is signed as a whole: its author runs `bailiwick pack --sign KEY`"
    )]
    Unsealed {
        /// The component.
        component: ComponentId,
    },
    /// The key is not listed.
    #[error("it is signed by {fingerprint}, which is not an allowed signer's key, and {rule} requires one")]
    UnknownKey {
        /// The key.
        fingerprint: String,
        /// The line of policy.
        rule: String,
    },
    /// The key is listed, but not for a principal that policy requires.
    #[error("it is signed by {fingerprint}, but {rule} requires a signature by {}: {}", wanted.join(" or "), listed.join("; "))]
    NotAllowed {
        /// The key.
        fingerprint: String,
        /// The required principals.
        wanted: Vec<String>,
        /// The line of policy.
        rule: String,
        /// Each line that lists the key, and why it does not count.
        listed: Vec<String>,
    },
}

impl Rules {
    /// Verifies a component's signature against policy's rules, and returns the signer.
    ///
    /// A signature that policy does not require must still be valid for this file. Its signer can then be anyone.
    ///
    /// # Errors
    /// When policy refuses it.
    pub fn check(
        &self,
        component: &ComponentId,
        file: &[u8],
        signature: Option<&[u8]>,
        wanted: &[RequiredSigner],
        now: Timestamp,
    ) -> Result<Option<Signer>, Refusal> {
        let rule = wanted.first().map(|wanted| &wanted.place).or(self.require.as_ref());
        let Some(signature) = signature else {
            return match rule {
                Some(place) => Err(Refusal::Missing { component: component.clone(), rule: place.to_string() }),
                None => Ok(None),
            };
        };
        let invalid = |source| Refusal::Invalid { component: component.clone(), source };
        let signature = Signature::parse(signature).map_err(invalid)?;
        signature.verify(file).map_err(invalid)?;
        let fingerprint = signature.fingerprint();
        let lines: Vec<_> = self.allowed.of_key(signature.key()).collect();
        let mut principal = None;
        for wanted in wanted {
            let spoken = wanted
                .principals
                .iter()
                .find(|principal| lines.iter().any(|line| line.speaks_for(principal) && line.holds(now).is_ok()));
            match spoken {
                Some(spoken) => drop(principal.get_or_insert(spoken.clone())),
                None => {
                    let mut listed: Vec<_> =
                        lines.iter().map(|line| described(line, &wanted.principals, now)).collect();
                    if listed.is_empty() {
                        listed.push("the allowed signers do not list this key".to_owned());
                    }
                    let (rule, wanted) = (wanted.place.to_string(), wanted.principals.clone());
                    return Err(Refusal::NotAllowed { fingerprint, wanted, rule, listed });
                }
            }
        }
        if principal.is_none() {
            principal = lines.iter().find(|line| line.holds(now).is_ok()).map(|line| line.principals.clone());
        }
        match (principal, &self.require) {
            (Some(principal), _) => Ok(Some(Signer { principal, fingerprint })),
            (None, None) => Ok(None),
            (None, Some(place)) if lines.is_empty() => {
                Err(Refusal::UnknownKey { fingerprint, rule: place.to_string() })
            }
            (None, Some(place)) => {
                let listed = lines.iter().map(|line| described(line, &[], now)).collect();
                let wanted = vec!["any allowed signer".to_owned()];
                Err(Refusal::NotAllowed { fingerprint, wanted, rule: place.to_string(), listed })
            }
        }
    }
}

/// Why a line does not count: its principals, or why it does not apply.
fn described(line: &allowed::Line, wanted: &[String], now: Timestamp) -> String {
    let speaks = wanted.is_empty() || wanted.iter().any(|principal| line.speaks_for(principal));
    let principals = line.principals.escape_debug();
    match line.holds(now) {
        Err(why) if speaks => format!("{} lists it for {principals}, but it {why}", line.place),
        _ => format!("{} lists it for {principals}", line.place),
    }
}
