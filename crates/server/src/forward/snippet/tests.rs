use std::path::Path;
use std::process::Command;

use super::*;

fn setup(public_url: &str, apps: &[&str]) -> Setup {
    Setup {
        listen: "127.0.0.1:8080".parse().unwrap(),
        public_url: public_url.parse().unwrap(),
        apps: apps.iter().map(ToString::to_string).collect(),
    }
}

/// What the settings of different people look like.
fn setups() -> Vec<Setup> {
    vec![
        setup(
            "https://login.example.com",
            &["wiki.example.com", "git.example.com:8443", "*.apps.example.com"],
        ),
        setup("http://login.localhost:18081", &["wiki.localhost:18081", "*.apps.localhost:18082"]),
        setup("http://127.0.0.1:8080", &["wiki.localhost:18081"]),
        setup("http://127.0.0.1:8080", &[]),
        Setup {
            listen: "[::]:8080".parse().unwrap(),
            ..setup("https://login.example.com", &["wiki.example.com"])
        },
    ]
}

fn text(proxy: Proxy, setup: &Setup) -> String {
    print(proxy, setup).unwrap().into_iter().map(|file| file.text).collect()
}

#[test]
fn every_configuration_names_every_host_and_no_other() {
    for proxy in Proxy::ALL {
        for setup in setups() {
            let text = text(proxy, &setup);
            for app in &setup.apps {
                let name = app.trim_start_matches("*.").split(':').next().unwrap();
                // Traefik's rule of a wildcard is a pattern.
                assert!(text.replace("\\\\.", ".").contains(name), "{proxy:?} {app}:\n{text}");
            }
            assert_eq!(
                text.contains("login."),
                setup.public_url.host_str().unwrap().starts_with("login."),
                "{proxy:?}"
            );
            assert!(
                text.contains("8080") && text.contains("3000") && text.contains("/forward-auth"),
                "{proxy:?}"
            );
            assert!(
                !text.contains("0.0.0.0:8080") && !text.contains("[::]:"),
                "{proxy:?}: nobody connects to that"
            );
            assert!(
                text.lines().all(|line| !line.ends_with(' ')) && !text.contains("\n\n\n"),
                "{proxy:?}:\n{text}"
            );
        }
    }
}

#[test]
fn what_browsers_reach_directly_needs_no_site() {
    let listen = "127.0.0.1:8080".parse().unwrap();
    for (url, direct) in [
        ("http://127.0.0.1:8080", true),
        ("http://localhost:8080", true),
        ("http://localhost:8081", false),
        ("https://localhost:8080", false),
        ("https://login.example.com", false),
    ] {
        assert_eq!(is_direct(&url.parse().unwrap(), listen), direct, "{url}");
    }
}

/// Whether the program is there; a machine without it skips the test and says so.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("-v").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

fn accepted(command: &mut Command, config: &str) {
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{config}");
    // Caddy warns of a site without TLS, which a test has.
    let warned = said.contains("[warn]") || said.contains("[WARNING]");
    assert!(!warned, "{said}\n{config}");
}

/// A certificate and its key, for configurations that name some.
fn certificate(directory: &Path) {
    let made = rcgen::generate_simple_self_signed(["example.com".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    std::fs::write(directory.join("cert.pem"), &certificate).unwrap();
    std::fs::write(directory.join("key.pem"), &key).unwrap();
    std::fs::create_dir_all(directory.join("certs")).unwrap();
    std::fs::write(directory.join("certs/all.pem"), certificate + &key).unwrap();
}

#[test]
fn nginx_accepts_its_configuration() {
    if !is_installed("nginx") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    certificate(directory.path());
    for setup in setups() {
        let mut config = text(Proxy::Nginx, &setup);
        // Checking opens the ports; these need no privileges and are free.
        for (port, free) in
            [("listen 443 ssl", "listen 127.0.0.1:18443 ssl"), ("listen 80;", "listen 127.0.0.1:18080;")]
        {
            config = config.replace(port, free);
        }
        let config: Vec<String> = config
            .lines()
            .map(|line| match line.trim_start().split(' ').next() {
                Some("ssl_certificate") => format!("ssl_certificate {at}/cert.pem;"),
                Some("ssl_certificate_key") => format!("ssl_certificate_key {at}/key.pem;"),
                _ => line.to_owned(),
            })
            .collect();
        let config = config.join("\n");
        let whole =
            format!("pid {at}/pid; error_log {at}/log; events {{}} http {{ access_log off;\n{config}\n}}");
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, &whole).unwrap();
        accepted(
            Command::new("nginx").arg("-t").arg("-p").arg(directory.path()).arg("-c").arg(&file),
            &whole,
        );
    }
}

#[test]
fn caddy_accepts_its_configuration() {
    if !is_installed("caddy") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for setup in setups() {
        let config = text(Proxy::Caddy, &setup);
        let file = directory.path().join("Caddyfile");
        std::fs::write(&file, &config).unwrap();
        let mut command = Command::new("caddy");
        command.args(["validate", "--adapter", "caddyfile", "--config"]).arg(&file);
        accepted(command.env("HOME", directory.path()).env("XDG_DATA_HOME", directory.path()), &config);
    }
}

#[test]
fn haproxy_accepts_its_configuration() {
    if !is_installed("haproxy") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display().to_string();
    certificate(directory.path());
    for setup in setups() {
        for printed in print(Proxy::Haproxy, &setup).unwrap() {
            std::fs::write(directory.path().join(printed.name), printed.text.replace("/etc/haproxy", &at))
                .unwrap();
        }
        let file = directory.path().join("haproxy.cfg");
        let config = std::fs::read_to_string(&file).unwrap();
        accepted(Command::new("haproxy").args(["-c", "-f"]).arg(&file), &config);
    }
}
