//! Keys as PEM, written by another program, and by this one.

use gateward_kernel::jose::{Jwk, KeyError};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/pem.json")).unwrap()
}

fn without_private(key: &Value) -> Value {
    let mut key = key.clone();
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        key.as_object_mut().unwrap().remove(name);
    }
    key
}

#[test]
fn keys_written_elsewhere_are_the_same_keys() {
    let vectors = vectors();
    let mut read = 0;
    for example in vectors["good"].as_array().unwrap() {
        for (part, expected) in
            [("private", example["jwk"].clone()), ("public", without_private(&example["jwk"]))]
        {
            for (form, pem) in example[part].as_object().unwrap() {
                let pem = pem.as_str().unwrap();
                for text in [
                    pem.to_owned(),
                    pem.replace('\n', "\r\n"),
                    pem.trim_end().to_owned(),
                    format!("a note before\n\n{pem}\nand one after"),
                ] {
                    let key = Jwk::from_pem(&text).unwrap();
                    let json: Value = serde_json::from_str(&key.to_private_json()).unwrap();
                    assert_eq!(json, expected, "{} {form}", example["name"]);
                    assert_eq!(key.is_private(), part == "private");
                    read += 1;
                }
            }
        }
    }
    assert_eq!(read, 4 * 19);
}

#[test]
fn what_is_written_is_what_others_write() {
    for example in vectors()["good"].as_array().unwrap() {
        let key = Jwk::from_json(example["jwk"].to_string().as_bytes()).unwrap();
        let name = &example["name"];
        assert_eq!(*key.to_private_pem().unwrap(), example["private"]["PKCS#8"].as_str().unwrap(), "{name}");
        assert_eq!(key.to_pem().unwrap(), example["public"]["SPKI"].as_str().unwrap(), "{name}");
        let public = key.public().unwrap();
        assert_eq!(public.to_pem().unwrap(), key.to_pem().unwrap());
        assert_eq!(public.to_private_pem(), Err(KeyError::NotPrivate));
    }
    let secret = Jwk::from_secret(&[1; 32]).unwrap();
    assert!(matches!(secret.to_pem(), Err(KeyError::Purpose(_))));
    assert!(matches!(secret.to_private_pem(), Err(KeyError::Purpose(_))));
}

#[test]
fn other_keys_are_refused_with_a_reason() {
    let vectors = vectors();
    let encrypted = KeyError::Pem("the key is encrypted; decrypt it first");
    for (name, pem) in vectors["bad"].as_object().unwrap() {
        let expected = match name.as_str() {
            "encrypted PKCS#8" | "encrypted SEC 1" => encrypted,
            "1024 bits public" => KeyError::Size("an RSA modulus has at least 2048 bits"),
            _ => KeyError::NotAKey,
        };
        assert_eq!(Jwk::from_pem(pem.as_str().unwrap()).unwrap_err(), expected, "{name}");
    }
}

#[test]
fn broken_texts_are_refused() {
    let vectors = vectors();
    let good = vectors["good"][1]["private"]["PKCS#8"].as_str().unwrap();
    let public = vectors["good"][1]["public"]["SPKI"].as_str().unwrap();
    for text in
        ["", "hello", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"]
    {
        assert!(Jwk::from_pem(text).is_err(), "{text}");
    }
    for end in 0..good.trim_end().len() {
        assert!(Jwk::from_pem(&good[..end]).is_err(), "{end}");
    }
    assert_eq!(
        Jwk::from_pem(&format!("{good}{public}")).unwrap_err(),
        KeyError::Pem("there is more than one key")
    );
    let relabelled = good.replacen("PRIVATE", "PUBLIC", 1);
    assert_eq!(Jwk::from_pem(&relabelled).unwrap_err(), KeyError::Pem("the labels of BEGIN and END differ"));
    assert_eq!(Jwk::from_pem(&good.replace("PRIVATE", "PUBLIC")).unwrap_err(), KeyError::NotAKey);
    assert_eq!(Jwk::from_pem(&public.replace("PUBLIC", "PRIVATE")).unwrap_err(), KeyError::NotAKey);
    let certificate = public.replace("PUBLIC KEY", "CERTIFICATE");
    assert!(matches!(Jwk::from_pem(&certificate), Err(KeyError::Pem(_))));
    assert!(matches!(Jwk::from_pem(&public.replace("PUBLIC KEY", "WHATEVER")), Err(KeyError::Pem(_))));
    assert!(matches!(Jwk::from_pem(&good.replace('M', "!")), Err(KeyError::Pem(_))));
    assert_eq!(Jwk::from_pem(&" ".repeat(64 * 1024 + 1)).unwrap_err(), KeyError::TooLong);
    // One byte more inside the document.
    let body: String = public.lines().filter(|line| !line.starts_with('-')).collect();
    let mut document = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    document.push(0);
    let longer = data_encoding::BASE64.encode(&document);
    let longer = format!("-----BEGIN PUBLIC KEY-----\n{longer}\n-----END PUBLIC KEY-----\n");
    assert_eq!(Jwk::from_pem(&longer).unwrap_err(), KeyError::NotAKey);
}
