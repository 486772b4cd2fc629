//! The manual `docs/config.md` and the commented file `docs/gateward.default.toml`, written from the
//! definition.

use std::fmt::Write as _;

use super::Settings;
use super::definition::{Field, Group};
use super::schema::{Schema, variable_of};

/// The page `docs/config.md`.
pub fn manual() -> String {
    let groups = Schema::of::<Settings>().groups;
    let mut page = MANUAL_INTRO.to_owned();
    for group in &groups {
        let title =
            if group.key.is_empty() { "Top of the file".to_owned() } else { format!("`[{}]`", group.key) };
        section(&mut page, &title, group);
    }
    for (name, items) in lists_of_tables(&groups) {
        table_pages(&mut page, name, &items);
    }
    page
}

/// The file `docs/gateward.default.toml`: every setting, commented out, at its default.
pub fn default_file() -> String {
    let groups = Schema::of::<Settings>().groups;
    let mut file = FILE_INTRO.to_owned();
    for group in &groups {
        if !group.key.is_empty() {
            file.push('\n');
            comment(&mut file, group.intro);
            let _ = writeln!(file, "[{}]", group.key);
        }
        for field in group.fields.iter().filter(|field| (field.kind)().items.is_none()) {
            file.push('\n');
            comment(&mut file, field.doc);
            comment(&mut file, &format!("({})", field.brief()));
            let _ = writeln!(file, "#{} = {}", field.name, default_of(field));
        }
    }
    for (_, example) in EXAMPLES {
        file.push_str(example);
    }
    file
}

const MANUAL_INTRO: &str = "\
<!-- Written by `GATEWARD_BLESS=1 cargo test -p gateward config`; do not edit. -->

# Settings

Gateward needs no settings to begin. Each one can be given in four places; a later one wins:

1. **the default**, shown below;
2. **the settings file**, in [TOML](https://toml.io): the one named by `--config FILE`, else by the variable
   `GATEWARD_CONFIG`, else `gateward.toml` in the working directory when it is there.
   [gateward.default.toml](gateward.default.toml) is one to start from, with every setting at its default;
3. **the environment**: `GATEWARD_` and the name in capitals, with two underscores between section and
   name, as in `GATEWARD_SESSIONS__IDLE=30m`. Text stands without quotes. A list is separated by commas,
   or written as a TOML array, which a list of tables needs: `GATEWARD_APP='[{ host =
   \"wiki.example.com\", rules = […] }]'`. An empty value is a value: the empty text or the empty list.
   A secret can also stand in a file that the variable with `_FILE` at its end names. What Kubernetes
   sets for a service called `gateward` (`GATEWARD_SERVICE_HOST`, `GATEWARD_PORT=tcp://…`) is left
   alone;
4. **flags** of the command line, such as `--listen`.

A list given in a later place replaces the whole list of an earlier one.

`gateward config` prints every effective value and where it comes from, secrets masked; `--json` prints
the same for programs. A name that is not known, in the file or in the environment, is an error that
names the nearest known one; so is a value that is not allowed, even where a later place overrides it.
All errors are told at once, one a line, before anything is started or changed.

How values are written:

| type | written as |
|---|---|
| text | `\"…\"` in the file |
| duration | a whole number and a unit, in quotes: `\"500ms\"`, `\"90s\"`, `\"30m\"`, `\"24h\"`, `\"30d\"` |
| size | a number of bytes, `65536`, or in quotes with a unit: `\"64KiB\"`, `\"19MiB\"`, `\"2GiB\"` |
| network | `\"10.0.0.0/8\"`, `\"2001:db8::/32\"`, or a single address |
| list | `[\"…\", \"…\"]` |
";

const FILE_INTRO: &str = "\
# The settings of Gateward, every one at its default. Copy the file to gateward.toml, remove the #
# before what you change, and look at the result with `gateward config`. The manual is docs/config.md.
# Written from crates/server/src/config; a test fails when it is stale.
";

/// How a protected app looks, which has no default to show.
const FILE_APPS: &str = "
# A host that is protected by forward-auth; repeat the block for each. The first rule that matches
# decides, and what no rule matches is denied. The keys are explained in docs/config.md.
#[[app]]
#host = \"wiki.example.com\"
#name = \"Wiki\"
#rules = [
#  { path = \"/public/*\", allow = \"everyone\" },
#  { path = \"/api/*\", methods = [\"GET\"], networks = [\"10.0.0.0/8\"], allow = \"everyone\" },
#  { path = \"/admin/*\", allow = \"groups\", groups = [\"admins\"] },
#  { path = \"/*\", allow = \"signed-in\" },
#]
";

const FILE_RESOURCES: &str = "
# An API or service that accepts access tokens; repeat the block for each.
#[[resource]]
#audience = \"https://api.example.com\"
#scopes = [\"read\", \"write\"]
";

const FILE_CLIENTS: &str = "
# An application that signs people in here; repeat the block for each.
#[[client]]
#id = \"grafana\"
#secret_file = \"/run/secrets/grafana\"
#metadata = { client_name = \"Grafana\", redirect_uris = [\"https://grafana.example.com/login/generic_oauth\"] }
";

/// An example of each list of tables.
const EXAMPLES: [(&str, &str); 3] =
    [("app", FILE_APPS), ("resource", FILE_RESOURCES), ("client", FILE_CLIENTS)];

fn section(page: &mut String, title: &str, group: &Group) {
    let _ = write!(page, "\n## {title}\n\n{}\n\n", prose(group.intro));
    page.push_str("| setting, and its variable | type | default | meaning |\n|---|---|---|---|\n");
    for field in group.fields {
        let key = field.key(group.key);
        let name = if (field.kind)().items.is_some() { format!("[[{key}]]") } else { key.clone() };
        let _ = writeln!(
            page,
            "| `{name}`<br>`{}` | {} | `{}` | {} |",
            variable_of(&key),
            cell(&type_of(field)),
            default_of(field),
            cell(&prose(field.doc)),
        );
    }
}

/// The keys of the tables of a list, and those of the lists inside them.
fn table_pages(page: &mut String, name: &str, group: &Group) {
    let _ = write!(page, "\n## `[[{name}]]`\n\n{}\n\n", prose(group.intro));
    keys(page, group);
    for (inner, items) in lists_of_tables(std::slice::from_ref(group)) {
        let _ = write!(page, "\n### `{inner}` of an `[[{name}]]`\n\n{}\n\n", prose(items.intro));
        keys(page, &items);
    }
    let Some((_, example)) = EXAMPLES.iter().find(|(list, _)| *list == name) else { return };
    let example = example.lines().filter_map(|line| line.strip_prefix('#'));
    let example: Vec<&str> =
        example.filter(|line| !line.starts_with(' ') || line.starts_with("  ")).collect();
    let _ = write!(page, "\n```toml\n{}\n```\n", example.join("\n"));
}

fn keys(page: &mut String, group: &Group) {
    page.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    for field in group.fields {
        let default = match field.default {
            Some(_) => format!("`{}`", default_of(field)),
            None => "required".to_owned(),
        };
        let (kind, doc) = (cell(&type_of(field)), cell(&prose(field.doc)));
        let _ = writeln!(page, "| `{}` | {kind} | {default} | {doc} |", field.name);
    }
}

fn lists_of_tables(groups: &[Group]) -> Vec<(&'static str, Group)> {
    let fields = groups.iter().flat_map(|group| group.fields);
    fields.filter_map(|field| Some((field.name, (field.kind)().items?))).collect()
}

/// What may be written, for a table cell.
fn type_of(field: &Field) -> String {
    field.brief()
}

/// The default as it is written in TOML.
fn default_of(field: &Field) -> String {
    field.default_in_toml().map_or_else(String::new, |value| value.to_string())
}

/// The lines of a doc comment as one paragraph.
fn prose(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A comment of the default file, wrapped.
fn comment(file: &mut String, text: &str) {
    const WIDTH: usize = 100;
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(file, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(file, "{line}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{FileText, Sources, load};

    /// Compares a generated page with its file, or writes it when `GATEWARD_BLESS` is set.
    fn check(name: &str, fresh: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        if std::env::var_os("GATEWARD_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, fresh).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == fresh, "docs/{name} is stale; run: GATEWARD_BLESS=1 cargo test -p gateward config");
    }

    #[test]
    fn the_manual_is_fresh() {
        check("config.md", &manual());
    }

    #[test]
    fn the_default_file_is_fresh() {
        check("gateward.default.toml", &default_file());
    }

    #[test]
    fn every_setting_is_in_both_with_its_default_and_its_meaning() {
        let (manual, file) = (manual(), default_file());
        let defaults = load(&Sources::default()).unwrap();
        for group in Schema::of::<Settings>().groups {
            assert!(!group.intro.trim().is_empty());
            for field in group.fields {
                let key = field.key(group.key);
                assert!(manual.contains(&format!("`{}`", variable_of(&key))), "{key}");
                assert!(manual.contains(&cell(&prose(field.doc))), "{key}");
                let default = field.default_in_toml().expect("every default can be read").to_string();
                if (field.kind)().items.is_none() {
                    assert!(file.contains(&format!("\n#{} = {default}\n", field.name)), "{key}");
                }
                assert!(defaults.effective.iter().any(|one| one.key == key), "{key}");
            }
        }
    }

    #[test]
    fn the_default_file_says_what_the_program_does() {
        let defaults = load(&Sources::default()).unwrap();
        let untouched = FileText { name: "default".into(), text: default_file() };
        let loaded = load(&Sources { file: Some(untouched), ..Sources::default() }).unwrap();
        assert_eq!(loaded.settings, defaults.settings);

        // With every `#` before a setting removed it is still right, and but for the examples still the default.
        let is_setting = |rest: &str| !rest.is_empty() && (!rest.starts_with(' ') || rest.starts_with("  "));
        let lines = default_file()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if is_setting(rest) => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect::<String>();
        let file = FileText { name: "uncommented".into(), text: lines };
        let mut loaded = load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        let (app, resource, client) =
            (loaded.settings.app.len(), loaded.settings.resource.len(), loaded.settings.client.len());
        assert_eq!((app, resource, client), (1, 1, 1));
        loaded.settings.app.clear();
        loaded.settings.resource.clear();
        loaded.settings.client.clear();
        assert_eq!(loaded.settings, defaults.settings);
        let from_file =
            loaded.effective.iter().filter(|one| one.origin.to_string().starts_with("file")).count();
        assert!(from_file > 50, "{from_file}");
    }

    #[test]
    fn defaults_are_written_the_way_they_are_shown() {
        for group in Schema::of::<Settings>().groups {
            for field in group.fields {
                let shown = field.default_in_toml().unwrap();
                let shown = match &shown {
                    toml::Value::String(text) => text.clone(),
                    toml::Value::Array(items) if items.is_empty() => String::new(),
                    other => other.to_string(),
                };
                assert_eq!(Some(shown.as_str()), field.default, "{}", field.key(group.key));
            }
        }
    }
}
