//! Caddy with the printed configuration.

use crate::checks::{self, for_every_proxy};
use crate::machine::{Running, command, program};
use crate::site::{Plan, Proxy};

/// Caddy, started with the printed file; its certificates are of its own making.
const CADDY: Proxy = Proxy {
    name: "caddy",
    start,
    root: |plan| Some(plan.directory.join("caddy/pki/authorities/local/root.crt")),
};

fn start(plan: &Plan<'_>) -> Running {
    // What keeps it on this machine; the sites are as they were printed.
    let global = format!(
        "{{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\tauto_https disable_redirects\n\tlocal_certs\n\
         \tskip_install_trust\n\tstorage file_system {}/caddy\n}}\n",
        plan.directory.display()
    );
    let file = plan.directory.join("Caddyfile");
    std::fs::write(&file, global + &plan.printed("Caddyfile")).unwrap();
    let mut command = command(&program("caddy", "caddy"), plan.directory);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
    Running::start("caddy", command, plan.directory)
}

for_every_proxy!(CADDY);
