//! What the settings say about keys.

use std::path::PathBuf;
use std::time::Duration;

use gateward_kernel::jose::SignatureAlgorithm;
use gateward_kernel::keyring::RotationPolicy;

use crate::config::Settings;
use crate::oauth::{STATUS_LISTS_COUNT, id_token};

/// A retired key stays published for so much longer than any token it signed: clocks of verifiers may be behind.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The settings of a ring.
#[derive(Clone, Debug)]
pub struct RingSettings {
    /// The algorithms that something is signed with.
    pub in_use: Vec<SignatureAlgorithm>,
    /// How keys follow each other.
    pub policy: RotationPolicy,
    /// The file of the key under which private keys are encrypted, where it is not derived from the root key.
    pub encryption_key_file: Option<PathBuf>,
    /// The file of the root key, for messages.
    pub root_key_file: PathBuf,
}

impl RingSettings {
    /// Those of the program.
    pub fn of(settings: &Settings) -> Self {
        let (keys, tokens) = (&settings.keys, &settings.tokens);
        let mut in_use = vec![tokens.algorithm.0];
        let of_resources = settings.resource.iter().filter_map(|resource| resource.algorithm);
        for algorithm in of_resources.chain(settings.oauth.algorithms.iter().copied()) {
            if !in_use.contains(&algorithm.0) {
                in_use.push(algorithm.0);
            }
        }
        let lifetimes = settings.resource.iter().filter_map(|resource| resource.access_lifetime);
        let longest = lifetimes
            .chain([tokens.access_lifetime, tokens.command_lifetime])
            .map(|span| span.duration())
            .chain([tokens.status_ttl.duration() * STATUS_LISTS_COUNT, id_token::LIFETIME])
            .max()
            .unwrap_or_default();
        RingSettings {
            in_use,
            policy: RotationPolicy {
                every: keys.rotate.duration(),
                lead: keys.lead.duration(),
                overlap: longest + MARGIN,
            },
            encryption_key_file: keys.encryption_key_file.clone(),
            root_key_file: settings.root_key_file(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlap_outlives_whatever_is_signed() {
        let load = |text: &str| {
            let file = crate::config::FileText { name: "test.toml".into(), text: text.into() };
            let sources = crate::config::Sources { file: Some(file), ..Default::default() };
            RingSettings::of(&crate::config::load(&sources).unwrap().settings)
        };
        let plain = load("");
        let names =
            |ring: &RingSettings| ring.in_use.iter().map(|one| one.name()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&plain), "ES256 RS256 PS256 EdDSA");
        assert_eq!(plain.policy.overlap, id_token::LIFETIME + MARGIN);
        assert_eq!(names(&load("[oauth]\nalgorithms = []\n")), "ES256", "what tokens are signed with");
        let ring = load(
            "[[resource]]\naudience = \"a\"\naccess_lifetime = \"2h\"\nalgorithm = \"RS256\"\n\
             [[resource]]\naudience = \"b\"\nalgorithm = \"ES256\"\n\
             [oauth]\nalgorithms = [\"RS256\", \"ES384\"]\n",
        );
        assert_eq!(names(&ring), "ES256 RS256 ES384");
        assert_eq!(ring.policy.overlap, Duration::from_secs(2 * 3600) + MARGIN);
        assert_eq!(ring.root_key_file, PathBuf::from("./gateward-data/root.key"));
        assert_eq!(
            load("[tokens]\nstatus_ttl = \"1h\"\n").policy.overlap,
            Duration::from_secs(3600) * STATUS_LISTS_COUNT + MARGIN
        );
    }
}
