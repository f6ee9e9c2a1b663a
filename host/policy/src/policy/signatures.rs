//! `[signatures]`, and `signers` of a grant, as written.
//!
//! Knows: the grammar of names. Must not know: keys, and who is listed. Attack answered: a rule that by mistake names no
//! signer, or all of them.

use serde::Deserialize;
use toml::Spanned;

use super::Setting;
use super::parse::setting;
use bailiwick_core::source::{Place, Problem, Problems, Source};

/// `[signatures]`.
#[derive(Debug)]
pub struct Signatures {
    /// The file with the allowed signers, relative to the ops directory.
    pub allowed_signers: Setting<String>,
    /// The place of the rule that requires every component to be signed. None without the rule.
    pub require: Option<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSignatures {
    allowed_signers: Spanned<String>,
    require: Option<Spanned<bool>>,
}

/// The `signers` of a grant.
pub(super) type RawSigners = Spanned<Vec<Spanned<String>>>;

pub(super) fn signatures(source: &Source, raw: Option<&RawSignatures>) -> Option<Signatures> {
    raw.map(|raw| Signatures {
        allowed_signers: setting(source, &raw.allowed_signers),
        require: raw.require.as_ref().filter(|require| *require.get_ref()).map(|require| source.at(require.span())),
    })
}

/// Checks that a grant which names signers has a file that lists their keys.
pub(super) fn check(
    source: &Source,
    signatures: Option<&Signatures>,
    signers: Option<&RawSigners>,
    problems: &mut Problems,
) {
    if let (None, Some(signers)) = (signatures, signers) {
        let problem = Problem::at(source.at(signers.span()), "`signers` needs a file of allowed signers");
        problems.push(problem.hint("add [signatures] with allowed-signers = \"allowed_signers\""));
    }
}

/// The allowed signers: literal principals, at least one.
pub(super) fn signers(source: &Source, raw: Option<&RawSigners>, problems: &mut Problems) -> Vec<Setting<String>> {
    let Some(raw) = raw else { return Vec::new() };
    if raw.get_ref().is_empty() {
        let problem = Problem::at(source.at(raw.span()), "`signers` must name at least one principal");
        problems.push(problem.hint("name the principals that may sign, or leave `signers` out"));
    }
    for signer in raw.get_ref() {
        let name = signer.get_ref();
        if name.is_empty() || name.contains(['*', '?', '!', ',', '"']) || name.contains(char::is_whitespace) {
            let problem = Problem::at(source.at(signer.span()), "a signer must be one literal principal");
            problems
                .push(problem.hint("patterns belong in the file of allowed signers; write \"alice@example.org\" here"));
        }
    }
    raw.get_ref().iter().map(|signer| setting(source, signer)).collect()
}
