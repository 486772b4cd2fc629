//! nginx with the printed configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};

use crate::checks::{self, for_every_proxy};
use crate::client::Ask;
use crate::machine::{Running, command, program};
use crate::site::{Plan, Proxy, Site};

/// nginx, started with the printed file inside the rest of a configuration.
pub const NGINX: Proxy = Proxy { name: "nginx", start, root: |plan| Some(plan.directory.join("cert.pem")) };

fn start(plan: &Plan<'_>) -> Running {
    let at = plan.directory.display();
    let printed: Vec<String> = plan
        .printed("gateward.conf")
        .lines()
        .map(|line| match line.trim_start().split(' ').next() {
            Some("ssl_certificate") => format!("ssl_certificate {at}/cert.pem;"),
            Some("ssl_certificate_key") => format!("ssl_certificate_key {at}/key.pem;"),
            Some("listen") => line.replace("listen ", "listen 127.0.0.1:"),
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(plan.directory.join("gateward.conf"), printed.join("\n")).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/nginx-{kind};\n"))
        .concat();
    let whole = format!(
        "daemon off;\nworker_processes 1;\npid {at}/nginx.pid;\nerror_log stderr warn;\nevents {{}}\n\
         http {{\naccess_log off;\nclient_max_body_size 16m;\n{temporary}include {at}/gateward.conf;\n}}\n"
    );
    let file = plan.directory.join("nginx.conf");
    std::fs::write(&file, whole).unwrap();
    let mut command = command(&program("nginx", "nginx"), plan.directory);
    command.arg("-p").arg(plan.directory).args(["-e", "stderr", "-c"]).arg(&file);
    Running::start("nginx", command, plan.directory)
}

for_every_proxy!(NGINX);

/// An answer with a body would cost the connection, and most of the speed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_gateward_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let counted = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let mut gateward = None;
    let site = Site::start_with(NGINX, |before| {
        let file = before.directory.join("gateward.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        let own = format!("server {};", before.gateward.listen);
        assert!(text.contains(&own), "{text}");
        std::fs::write(&file, text.replace(&own, &format!("server {counted};"))).unwrap();
        gateward = Some(before.gateward.listen);
        tokio::spawn(relay(listener, before.gateward.listen, count.clone()));
    })
    .await;
    let cookie = site.sign_in("ann").await;
    let before = count.load(Ordering::Relaxed);
    for _ in 0..150 {
        let reply = site.send(&Ask::page(&site.wiki(), "/page").cookie(&cookie)).await;
        assert_eq!(reply.status, 200);
    }
    let allowed = count.load(Ordering::Relaxed) - before;
    assert!(allowed <= 4, "150 requests of somebody signed in cost {allowed} connections");
    for _ in 0..50 {
        assert_eq!(site.send(&Ask::fetch(&site.wiki(), "/page")).await.status, 401);
    }
    let refused = count.load(Ordering::Relaxed) - before - allowed;
    assert!(refused <= 4, "50 refusals cost {refused} connections");
    assert_eq!(site.app.take().len(), 150);
}

/// Passes connections on and counts them.
async fn relay(listener: TcpListener, to: std::net::SocketAddr, count: Arc<AtomicUsize>) {
    while let Ok((mut client, _)) = listener.accept().await {
        count.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let mut server = TcpStream::connect(to).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}
