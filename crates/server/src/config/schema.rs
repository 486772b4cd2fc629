//! The known keys of a settings tree, and their names in the environment.

use super::definition::{Field, Group, Section};
use super::nearest::nearest;

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "GATEWARD_";

/// The variable that names the settings file; the one variable that is no setting.
pub(super) const CONFIG_VARIABLE: &str = "GATEWARD_CONFIG";

/// What is appended to the variable of a secret setting to name a file that holds the value.
pub(super) const FILE_SUFFIX: &str = "_FILE";

/// Every section with its settings, in the order of the documentation.
pub(super) struct Schema {
    pub(super) groups: Vec<Group>,
    keys: Vec<Key>,
}

struct Key {
    dotted: String,
    secret: bool,
}

impl Schema {
    pub(super) fn of<T: Section>() -> Schema {
        let groups = T::groups("");
        let keys =
            groups.iter().flat_map(|group| group.fields.iter().map(|field| key_of(group, field))).collect();
        Schema { groups, keys }
    }

    pub(super) fn is_key(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known.dotted == key)
    }

    pub(super) fn is_section(&self, name: &str) -> bool {
        self.sections().any(|section| section == name)
    }

    /// The key that this environment variable sets.
    pub(super) fn key_of_variable(&self, variable: &str) -> Option<&str> {
        self.keys.iter().map(|key| key.dotted.as_str()).find(|key| variable_of(key) == variable)
    }

    /// The secret key whose file this environment variable names.
    pub(super) fn key_of_file_variable(&self, variable: &str) -> Option<&str> {
        let name = variable.strip_suffix(FILE_SUFFIX)?;
        let secret = self.keys.iter().filter(|key| key.secret);
        secret.map(|key| key.dotted.as_str()).find(|key| variable_of(key) == name)
    }

    /// The setting most like this unknown key.
    pub(super) fn nearest_key(&self, unknown: &str) -> Option<&str> {
        nearest(unknown, self.keys.iter().map(|key| key.dotted.as_str()))
    }

    /// The section most like this unknown one.
    pub(super) fn nearest_section(&self, unknown: &str) -> Option<&str> {
        nearest(unknown, self.sections())
    }

    fn sections(&self) -> impl Iterator<Item = &'static str> {
        self.groups.iter().map(|group| group.key).filter(|key| !key.is_empty())
    }
}

/// `sessions.idle` is set by `GATEWARD_SESSIONS__IDLE`.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

fn key_of(group: &Group, field: &Field) -> Key {
    Key { dotted: field.key(group.key), secret: (field.kind)().secret }
}
