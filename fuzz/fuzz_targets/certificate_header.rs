//! The header in which a proxy tells a certificate, and the names by which clients are known: read whole or refused. Input: the value of
//! the header; the same as a distinguished name.
#![no_main]

use gateward::certificate::header::read;
use gateward::certificate::law::CertificateName;
use gateward::certificate::name::MAX_NAME_LEN;
use gateward::certificate::{ClientCertificate, DistinguishedName, MAX_CERTIFICATE_LEN, MAX_NAMES};
use gateward_kernel::confirmation::CertificateThumbprint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = read(data) {
        assert!(certificate.der().len() <= MAX_CERTIFICATE_LEN);
        assert_eq!(*certificate.thumbprint(), CertificateThumbprint::of(certificate.der()));
        let names = certificate.names();
        assert!(names.dns.len() + names.uri.len() + names.ip.len() + names.email.len() <= MAX_NAMES);
        let again = ClientCertificate::read(certificate.der(), Vec::new()).expect("it was read");
        assert_eq!(again.subject(), certificate.subject());
        for dns in &names.dns {
            let name = CertificateName::read("tls_client_auth_san_dns", dns);
            assert!(
                name.is_err() || name.is_ok_and(|name| name.is_of(&certificate)),
                "it bears its own name"
            );
        }
    }
    let _ = ClientCertificate::read(data, Vec::new());
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(name) = DistinguishedName::read(text) else { return };
    assert!(!name.is_empty());
    if text.len() + 2 > MAX_NAME_LEN {
        return;
    }
    assert_eq!(
        DistinguishedName::read(&format!(" {text} ")).as_ref(),
        Ok(&name),
        "blanks around it are none of it"
    );
    assert_ne!(
        DistinguishedName::read(&format!("CN=x,{text}")).as_ref(),
        Ok(&name),
        "a place more is another name"
    );
});
