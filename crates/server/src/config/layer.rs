//! The layers of settings, each a map from dotted key to raw value: file, environment, flags. Keys that no
//! setting has are found here.

use std::collections::BTreeMap;

use super::given::{self, Entry, Given, What};
use super::nearest::likeness;
use super::problem::{Origin, Place, Problem, quote};
use super::schema::{CONFIG_VARIABLE, FILE_SUFFIX, PREFIX, Schema, variable_of};
use super::sources::{FileText, SecretFile, Sources};

/// One layer: what it says about each key, and where.
type Layer = BTreeMap<String, (Place, Given)>;

/// All layers above the defaults, the lowest first.
#[derive(Debug, Default)]
pub(super) struct Layers(Vec<Layer>);

/// What reading the layers found besides the values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    /// Known keys that an unknown one was probably meant to be: their values say nothing.
    pub(super) meant: Vec<String>,
    /// True if the file could not be read as TOML, so that its values are missing.
    pub(super) unreadable: bool,
}

impl Layers {
    /// Reads all sources; what no setting has is reported.
    pub(super) fn read(sources: &Sources, schema: &Schema) -> (Layers, Findings) {
        let mut findings = Findings::default();
        let file = match &sources.file {
            Some(file) => file_layer(file, schema, &mut findings),
            None => Layer::new(),
        };
        let environment = environment_layer(sources, schema, &mut findings);
        let flags = flag_layer(sources, schema, &mut findings);
        (Layers(vec![file, environment, flags]), findings)
    }

    /// Everything said about `key`, the lowest layer first.
    pub(super) fn of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a (Place, Given)> {
        self.0.iter().filter_map(move |layer| layer.get(key))
    }
}

/// From this likeness on, an unknown key counts as a mistyped known one.
const MEANT: f64 = 0.5;

impl Findings {
    fn unknown(&mut self, origin: Origin, key: &str, nearest: Option<&str>, shown: &str) {
        let message = format!("no such setting; the nearest known key is {shown}");
        self.problems.push(Problem::new(origin, key, message));
        let meant = nearest.filter(|nearest| likeness(key, nearest) >= MEANT);
        self.meant.extend(meant.map(str::to_owned));
    }
}

fn file_layer(file: &FileText, schema: &Schema, findings: &mut Findings) -> Layer {
    let whole = Place::new(Origin::File { name: file.name.as_str().into(), line: None }, "");
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let entries = match given::document(text) {
        Ok(entries) => entries,
        Err(errors) => {
            findings.unreadable = true;
            findings.problems.extend(errors.into_iter().map(|error| {
                Problem::new(whole.origin_at(error.line), "", format!("not TOML: {}", error.message))
            }));
            return Layer::new();
        }
    };
    let mut layer = Layer::new();
    for entry in entries {
        if !schema.is_section(&entry.key) {
            file_entry(entry.key.clone(), entry, &whole, schema, &mut layer, findings);
            continue;
        }
        match entry.value.what {
            What::Table(inside) => {
                for inner in inside {
                    let key = format!("{}.{}", entry.key, inner.key);
                    file_entry(key, inner, &whole, schema, &mut layer, findings);
                }
            }
            _ => findings.problems.push(Problem::new(
                whole.origin_at(entry.line),
                &entry.key,
                format!("this is a section, written [{0}] with its settings below, not {0} = …", entry.key),
            )),
        }
    }
    layer
}

fn file_entry(
    key: String,
    entry: Entry,
    whole: &Place,
    schema: &Schema,
    layer: &mut Layer,
    findings: &mut Findings,
) {
    let origin = whole.origin_at(entry.line);
    if schema.is_key(&key) {
        layer.insert(key.clone(), (Place::new(origin, key), entry.value));
        return;
    }
    if matches!(entry.value.what, What::Table(_)) && !key.contains('.') {
        let nearest = schema.nearest_section(&key).unwrap_or_default();
        let message = format!("no such section; the nearest known one is [{nearest}]");
        findings.problems.push(Problem::new(origin, &key, message));
        let inside = format!("{nearest}.");
        findings.meant.extend(entry_keys(&entry.value).map(|name| format!("{inside}{name}")));
        return;
    }
    let nearest = schema.nearest_key(&key);
    findings.unknown(origin, &key, nearest, nearest.unwrap_or_default());
}

fn entry_keys(table: &Given) -> impl Iterator<Item = &str> {
    let entries = if let What::Table(entries) = &table.what { entries.as_slice() } else { &[] };
    entries.iter().map(|entry| entry.key.as_str())
}

fn environment_layer(sources: &Sources, schema: &Schema, findings: &mut Findings) -> Layer {
    let mut layer = Layer::new();
    for (name, value) in &sources.environment {
        if !name.starts_with(PREFIX) || name == CONFIG_VARIABLE || is_service_link(name, value) {
            continue;
        }
        let origin = Origin::Environment(name.as_str().into());
        if let Some(key) = schema.key_of_variable(name) {
            layer.insert(key.to_owned(), (Place::new(origin, key), Given::bare(value)));
        } else if let Some(key) = schema.key_of_file_variable(name) {
            if sources.environment.iter().any(|(other, _)| *other == variable_of(key)) {
                let message = format!("{} is set too; set only one of the two", variable_of(key));
                findings.problems.push(Problem::new(origin, key, message));
            } else if let Some(secret) = secret_of(name, key, &sources.secret_files, findings) {
                layer.insert(key.to_owned(), (Place::new(origin, key), Given::bare(secret)));
            }
        } else {
            unknown_variable(name, schema, origin, findings);
        }
    }
    layer
}

fn unknown_variable(name: &str, schema: &Schema, origin: Origin, findings: &mut Findings) {
    let key = name.trim_start_matches(PREFIX).to_lowercase().replace("__", ".");
    if schema.is_section(&key) {
        let message = format!("this names a section; its settings are written {name}__…");
        findings.problems.push(Problem::new(origin, &key, message));
        return;
    }
    let plain = key.strip_suffix(&FILE_SUFFIX.to_lowercase()).filter(|plain| schema.is_key(plain));
    if let Some(plain) = plain {
        let message = format!("only secrets are read from files; set {}", variable_of(plain));
        findings.problems.push(Problem::new(origin, plain, message));
        return;
    }
    let nearest = schema.nearest_key(&key);
    let shown = nearest.map(|key| format!("{key} ({})", variable_of(key))).unwrap_or_default();
    findings.unknown(origin, &key, nearest, &shown);
}

/// The content of the file a `…_FILE` variable names, without the line break at its end.
fn secret_of(variable: &str, key: &str, files: &[SecretFile], findings: &mut Findings) -> Option<String> {
    let found = files.iter().find(|file| file.variable == variable).map(|file| &file.text);
    match found {
        Some(Ok(text)) => {
            let text = text.strip_suffix('\n').unwrap_or(text);
            Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
        }
        Some(Err(reason)) => {
            let origin = Origin::Environment(variable.into());
            findings.problems.push(Problem::new(origin, key, reason.clone()));
            None
        }
        None => {
            let origin = Origin::Environment(variable.into());
            findings.problems.push(Problem::new(origin, key, "the file it names was not read"));
            None
        }
    }
}

/// Kubernetes sets such variables in every container next to a service called `gateward`; nobody wrote them
/// as settings: `GATEWARD_SERVICE_HOST`, `GATEWARD_SERVICE_PORT…`, `GATEWARD_PORT…=tcp://10.0.0.1:80`.
fn is_service_link(name: &str, value: &str) -> bool {
    let rest = name.trim_start_matches(PREFIX);
    if rest == "PORT" {
        return ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    }
    let port = |rest: &str| {
        let mut parts = rest.split('_');
        parts.next().is_some_and(|number| number.parse::<u16>().is_ok())
            && parts.next().is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol))
    };
    rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || rest.strip_prefix("PORT_").is_some_and(port)
}

fn flag_layer(sources: &Sources, schema: &Schema, findings: &mut Findings) -> Layer {
    let mut layer = Layer::new();
    for flag in &sources.flags {
        let origin = Origin::Flag(flag.flag.as_str().into());
        if schema.is_key(&flag.key) {
            let place = Place::new(origin, &flag.key);
            layer.insert(flag.key.clone(), (place, Given::bare(&flag.value)));
        } else {
            let nearest = schema.nearest_key(&flag.key);
            findings.unknown(
                origin,
                quote(&flag.key).trim_matches('"'),
                nearest,
                nearest.unwrap_or_default(),
            );
        }
    }
    layer
}
