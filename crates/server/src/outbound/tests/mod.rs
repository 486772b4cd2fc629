//! Asking real servers on this machine, with names that resolve as the test wants.

mod asking;
mod limits;
mod sets;
mod site;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::config::{FileText, Settings, Sources, load};
use site::Site;

/// Names with the answers to each lookup in turn; the last one is repeated.
#[derive(Default)]
struct Names {
    known: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    lookups: Mutex<Vec<String>>,
}

impl Names {
    fn of(name: &str, answers: &[&[&str]]) -> Arc<Self> {
        let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let answers = answers.iter().map(addresses).collect();
        Arc::new(Names { known: Mutex::new(HashMap::from([(name.to_owned(), answers)])), ..Names::default() })
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Looked<'a> {
        self.lookups.lock().push(name.to_owned());
        let mut known = self.known.lock();
        let answer = known.get_mut(name).map(|answers| match answers.len() {
            0 | 1 => answers.first().cloned().unwrap_or_default(),
            _ => answers.remove(0),
        });
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

fn settings(text: &str) -> Settings {
    let file = Some(FileText { name: "test.toml".into(), text: text.into() });
    load(&Sources { file, ..Sources::default() }).unwrap().settings
}

/// One that may ask this site under this name, and trusts it.
fn towards(site: &Site, name: &str) -> Outbound {
    let mut settings = settings(&format!("[outbound]\nallow = ['{name}:{}']", site.port)).outbound;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &site.authority).unwrap();
    settings.ca_file = Some(file);
    Outbound::open(&settings).unwrap().with_resolver(Names::of(name, &[&["127.0.0.1"]]))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}
