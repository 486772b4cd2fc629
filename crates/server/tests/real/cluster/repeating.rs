//! What came to a node and was not answered: reading goes to the next node, and whatever may have done something does not.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use super::proxies::{Balancer, Ports};
use super::{NODES, open};
use crate::client::{Ask, Client};
use crate::machine::until;

/// The requests that came to nodes, as method and name of the node.
type Seen = Arc<Mutex<Vec<(String, &'static str)>>>;

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_done_something_is_never_said_twice() {
    let ports = Ports::free();
    let seen = Seen::default();
    for (address, name) in ports.nodes.iter().zip(NODES) {
        let listener = TcpListener::bind(address).unwrap();
        let seen = seen.clone();
        std::thread::spawn(move || swallow(&listener, name, &seen));
    }
    let shipped = [
        ("cluster", Balancer::Nginx),
        ("cluster", Balancer::Haproxy),
        ("cluster-sticky", Balancer::Nginx),
        ("cluster-sticky", Balancer::NginxIpHash),
        ("cluster-sticky", Balancer::Haproxy),
    ];
    for (example, balancer) in shipped {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path());
        let port = crate::machine::free_port();
        let mut running = balancer.start(example, directory.path(), port, &ports);
        let client = Client::plain((Ipv4Addr::LOCALHOST, port).into());
        until("the proxy finds its nodes", async || {
            running.must_live();
            client
                .try_send(&Ask::new("GET", "localhost", "/healthz"))
                .await
                .ok()
                .filter(|reply| reply.status == 200)
        })
        .await;
        for (method, is_repeated) in [("POST", false), ("PATCH", false), ("GET", true), ("POST", false)] {
            seen.lock().unwrap().clear();
            let ask = Ask::new(method, "localhost", "/somewhere").cookie("gateward=gws_secret.b");
            let ask = if is_repeated { ask } else { ask.body("application/json", "{}") };
            let reply = client.send(&ask).await;
            assert_eq!(reply.status, 502, "{example}, {balancer:?}, {method}: {}", reply.text());
            let seen: Vec<_> = seen.lock().unwrap().clone();
            let of_method: Vec<_> = seen.iter().filter(|(one, _)| one == method).collect();
            let nodes: std::collections::BTreeSet<_> = of_method.iter().map(|(_, node)| node).collect();
            match is_repeated {
                false => assert_eq!(of_method.len(), 1, "{example}, {balancer:?}: {seen:?}"),
                true => assert!(nodes.len() > 1, "{example}, {balancer:?}: {seen:?}"),
            }
            // A node that swallowed something is left out for a moment: all of them would be, by and by.
            until("the nodes are taken back", async || {
                let reply = client.send(&Ask::new("GET", "localhost", "/healthz")).await;
                (reply.status == 200).then_some(())
            })
            .await;
        }
    }
}

/// A node that is well, and ends every connection when a request is there.
fn swallow(listener: &TcpListener, name: &'static str, seen: &Seen) {
    while let Ok((mut stream, _)) = listener.accept() {
        let seen = seen.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut chunk = [0; 4096];
            while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => return,
                    Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                }
            }
            let head = String::from_utf8_lossy(&bytes).into_owned();
            if head.starts_with("GET /healthz ") {
                let _gone =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                return;
            }
            let method = head.split(' ').next().unwrap_or_default().to_owned();
            seen.lock().unwrap().push((method, name));
        });
    }
}
