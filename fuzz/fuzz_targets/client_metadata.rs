//! Metadata of clients, which anybody may send where registration is open: what was found good is the same when it is read again, is found
//! good again, and gives itself nothing that only an administrator gives.
#![no_main]

use std::sync::LazyLock;

use gateward_kernel::jose::SignatureAlgorithm;
use gateward_kernel::oauth::Metadata;
use gateward_kernel::oauth::client::{AuthMethod, ConsentPolicy, Rules};
use gateward_kernel::oauth::registration::SelfRules;
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules {
    legacy_flows: true,
    algorithms: vec![SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256],
    ..Rules::default()
});

fuzz_target!(|data: &[u8]| {
    let Ok(metadata) = serde_json::from_slice::<Metadata>(data) else { return };
    let text = serde_json::to_vec(&metadata).expect("metadata are JSON");
    let again: Metadata = serde_json::from_slice(&text).expect("what was written is read");
    assert_eq!(again, metadata);
    if metadata.check(&RULES).is_err() {
        return;
    }
    assert_eq!(again.check(&RULES), Ok(()));
    for uri in &metadata.redirect_uris {
        assert!(uri.admits(uri.as_str()) && !uri.as_str().contains('#'));
        assert!(!uri.admits(&format!("{}x", uri.as_str())), "{} admits more", uri.as_str());
    }
    for rules in [SelfRules { legacy_flows: true, without_pkce: true, invited: true }, SelfRules::default()] {
        let Ok(own) = metadata.clone().as_registered(rules) else { continue };
        assert!(!own.gateward_introspects && !own.gateward_refresh_token_stays);
        assert_eq!(own.gateward_consent, ConsentPolicy::Ask);
        assert_eq!(own.gateward_access_token_format, None);
        let may_leave_out = rules.without_pkce && own.token_endpoint_auth_method != AuthMethod::None;
        assert!(!own.gateward_pkce_optional || may_leave_out);
        assert!(!own.gateward_legacy_flows || rules.legacy_flows);
    }
});
