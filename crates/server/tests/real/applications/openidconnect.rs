//! The crate `openidconnect`, in an application of this process.

use tokio::net::TcpListener;

use super::{Desk, library};

#[path = "rust/openidconnect.rs"]
mod application;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openidconnect() {
    let desk = Desk::start(|_| String::new()).await;
    let client = desk.web_client(&[]);
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    let listener = TcpListener::bind(("127.0.0.1", desk.port)).await.unwrap();
    let serving = application::serve(listener, desk.issuer.clone(), text("client_id"), text("client_secret"));
    let serving = tokio::spawn(serving);
    library::walks(&desk).await;
    serving.abort();
}
