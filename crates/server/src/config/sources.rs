//! Where settings are read from. Everything that touches the machine is here; the rest of `config` is pure.

use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Settings;
use super::problem::{Origin, Problem};
use super::schema::{CONFIG_VARIABLE, PREFIX, Schema};

/// The file that is read from the working directory when no other is named and this one is there.
pub const DEFAULT_FILE: &str = "gateward.toml";

/// All that [`super::load`] looks at. `Debug` shows names only, since values may be secret.
#[derive(Clone, Default, PartialEq)]
pub struct Sources {
    /// The settings file.
    pub file: Option<FileText>,
    /// Environment variables; those that do not begin with `GATEWARD_` are ignored.
    pub environment: Vec<(String, String)>,
    /// What was found in the files that `GATEWARD_…_FILE` variables name.
    pub secret_files: Vec<SecretFile>,
    /// What the command line sets.
    pub flags: Vec<Flag>,
}

/// A settings file.
#[derive(Clone, PartialEq)]
pub struct FileText {
    /// The file as errors name it.
    pub name: String,
    /// Its TOML.
    pub text: String,
}

/// A secret that stands in a file of its own.
#[derive(Clone, PartialEq)]
pub struct SecretFile {
    /// The variable that names the file, such as `GATEWARD_MAIL__PASSWORD_FILE`.
    pub variable: String,
    /// The text of the file, or why it could not be read (which names the file).
    pub text: Result<String, String>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        let flags: Vec<_> = self.flags.iter().map(|flag| &flag.flag).collect();
        out.debug_struct("Sources")
            .field("file", &self.file.as_ref().map(|file| &file.name))
            .field("environment", &variables)
            .field("flags", &flags)
            .finish_non_exhaustive()
    }
}

/// A setting given on the command line.
#[derive(Clone, PartialEq)]
pub struct Flag {
    /// The dotted key it sets, such as `public_url`.
    pub key: String,
    /// Its value, written as in the environment.
    pub value: String,
    /// The flag as the user writes it, such as `--public-url`.
    pub flag: String,
}

impl Flag {
    /// The setting `key`, given as `value` by `flag`.
    pub fn new(key: impl Into<String>, value: impl Into<String>, flag: impl Into<String>) -> Flag {
        Flag { key: key.into(), value: value.into(), flag: flag.into() }
    }
}

impl Sources {
    /// Reads the environment, the files of secrets it names, and the settings file: `config_flag`
    /// (`--config`), else `GATEWARD_CONFIG`, else `gateward.toml` in the working directory when it is there.
    ///
    /// # Errors
    /// A settings file that was named but can not be read, or one that is no text; a `GATEWARD_` variable
    /// that is no text.
    pub fn from_system(config_flag: Option<&Path>, flags: Vec<Flag>) -> Result<Sources, Problem> {
        gather(config_flag, flags, std::env::vars_os(), Path::new(DEFAULT_FILE))
    }
}

fn gather(
    config_flag: Option<&Path>,
    flags: Vec<Flag>,
    variables: impl Iterator<Item = (OsString, OsString)>,
    default_file: &Path,
) -> Result<Sources, Problem> {
    let environment = ours(variables)?;
    let named = environment.iter().find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty());
    let file = match (config_flag, named) {
        (Some(path), _) => Some(read_settings(path, Origin::Flag("--config".into()))?),
        (None, Some((name, path))) => {
            Some(read_settings(Path::new(path), Origin::Environment(name.as_str().into()))?)
        }
        (None, None) => read_default(default_file)?,
    };
    let schema = Schema::of::<Settings>();
    let secret_files = environment
        .iter()
        .filter(|(name, _)| schema.key_of_variable(name).is_none())
        .filter(|(name, _)| schema.key_of_file_variable(name).is_some())
        .map(|(name, path)| read_secret(name, Path::new(path)))
        .collect();
    Ok(Sources { file, environment, secret_files, flags })
}

/// The variables that begin with our prefix.
fn ours(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, Problem> {
    let mut ours = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) {
            continue;
        }
        let Ok(value) = value.into_string() else {
            let origin = Origin::Environment(name.into());
            return Err(Problem::new(origin, "", "the value is not UTF-8 text; set it again as text"));
        };
        ours.push((name, value));
    }
    ours.sort();
    Ok(ours)
}

fn read_settings(path: &Path, origin: Origin) -> Result<FileText, Problem> {
    std::fs::read_to_string(path).map(|text| FileText { name: path.display().to_string(), text }).map_err(
        |error| {
            let why = reason(&error);
            let message = format!("the settings file {} can not be read: {why}", path.display());
            Problem::new(origin, "", message)
        },
    )
}

fn read_default(path: &Path) -> Result<Option<FileText>, Problem> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => {
            let name = path.display().to_string();
            read_settings(path, Origin::File { name: name.into(), line: None }).map(Some)
        }
    }
}

fn read_secret(variable: &str, path: &Path) -> SecretFile {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("the file {} can not be read: {}", PathBuf::from(path).display(), reason(&error))
    });
    SecretFile { variable: variable.to_owned(), text }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> std::vec::IntoIter<(OsString, OsString)> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        pairs.into_iter()
    }

    #[test]
    fn the_flag_names_the_file_before_the_environment_before_the_working_directory() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("node = '{}'", name.replace('.', "-"))).unwrap();
            path
        };
        let (flagged, named, default) = (write("flag.a"), write("env.a"), write("default.a"));
        let environment = [("GATEWARD_CONFIG", named.to_str().unwrap()), ("HOME", "/x")];

        let sources = gather(Some(&flagged), vec![], variables(&environment), &default).unwrap();
        assert_eq!(sources.file.unwrap().text, "node = 'flag-a'");
        assert_eq!(sources.environment.len(), 1, "only ours are kept");
        let sources = gather(None, vec![], variables(&environment), &default).unwrap();
        assert_eq!(sources.file.unwrap().text, "node = 'env-a'");
        let sources = gather(None, vec![], variables(&[]), &default).unwrap();
        assert_eq!(sources.file.unwrap().text, "node = 'default-a'");
        let sources = gather(None, vec![], variables(&[]), &folder.path().join("none")).unwrap();
        assert!(sources.file.is_none());
    }

    #[test]
    fn a_named_file_that_can_not_be_read_is_one_clear_line() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.toml");
        let problem = gather(Some(&missing), vec![], variables(&[]), &missing).unwrap_err().to_string();
        assert!(problem.starts_with("flag --config: the settings file "), "{problem}");
        assert!(problem.ends_with("missing.toml can not be read: there is no such file"), "{problem}");

        let environment = [("GATEWARD_CONFIG", folder.path().to_str().unwrap())];
        let problem = gather(None, vec![], variables(&environment), &missing).unwrap_err().to_string();
        assert!(problem.starts_with("environment GATEWARD_CONFIG: "), "{problem}");
        assert!(problem.ends_with("it is a directory"), "{problem}");

        std::fs::write(&missing, [0xff, 0xfe]).unwrap();
        let problem = gather(None, vec![], variables(&[]), &missing).unwrap_err().to_string();
        assert!(problem.ends_with("it is not UTF-8 text"), "{problem}");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_refused_and_foreign_ones_are_not() {
        use std::os::unix::ffi::OsStringExt as _;
        let bad = || OsString::from_vec(vec![0xff]);
        let none = Path::new("/nonexistent/gateward.toml");
        let foreign = std::iter::once((OsString::from("OTHER"), bad()));
        assert!(gather(None, vec![], foreign, none).is_ok());
        let own = std::iter::once((OsString::from("GATEWARD_NODE"), bad()));
        let problem = gather(None, vec![], own, none).unwrap_err().to_string();
        assert_eq!(problem, "environment GATEWARD_NODE: the value is not UTF-8 text; set it again as text");
    }
}
