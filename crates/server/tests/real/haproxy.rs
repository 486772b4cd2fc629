//! HAProxy with the printed configuration and its Lua action.

use crate::checks::{self, for_every_proxy};
use crate::machine::{Running, command, program};
use crate::site::{Plan, Proxy};

/// HAProxy, started with the printed files.
const HAPROXY: Proxy = Proxy { name: "haproxy", start, root: |plan| Some(plan.directory.join("cert.pem")) };

fn start(plan: &Plan<'_>) -> Running {
    let own = plan.directory.display().to_string();
    for name in ["haproxy.cfg", "gateward.lua"] {
        let text = plan.printed(name).replace("/etc/haproxy", &own).replace("bind :", "bind 127.0.0.1:");
        std::fs::write(plan.directory.join(name), text).unwrap();
    }
    let mut command = command(&program("haproxy", "haproxy"), plan.directory);
    command.args(["-db", "-f"]).arg(plan.directory.join("haproxy.cfg"));
    Running::start("haproxy", command, plan.directory)
}

for_every_proxy!(HAPROXY);
