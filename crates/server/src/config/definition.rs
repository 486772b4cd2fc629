//! How a setting is defined: **once**. The macros [`settings!`] and [`record!`] take name, type, default,
//! range and documentation of each setting, and out of it come the typed struct, its reader, its default, the
//! page `docs/config.md`, the file `docs/gateward.default.toml` and the list of known keys.

use super::given::{Given, What};
use super::layer::Layers;
use super::problem::{Place, Problem};
use super::resolve::Resolving;

/// What is known about one setting besides its Rust type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    /// The default as it would be written in an environment variable; `None` for a key that must be given.
    pub(super) default: Option<&'static str>,
    pub(super) range: Option<(&'static str, &'static str)>,
    pub(super) kind: fn() -> Kind,
    /// A default in TOML.
    pub(super) shown: fn(&str) -> Option<toml::Value>,
}

/// What documentation and errors say about a type of value.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    /// Everything that may be written, in words.
    pub(super) allowed: String,
    /// The same for a cell of the manual, which explains the common types once.
    pub(super) brief: String,
    pub(super) secret: bool,
    /// The keys of one item, when the setting is a list of tables (`[[app]]`).
    pub(super) items: Option<Group>,
}

/// A section, or the keys of a table in a list: an introduction and its settings.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The dotted key of the section; empty for the top of the tree.
    pub(super) key: &'static str,
    pub(super) intro: &'static str,
    pub(super) fields: &'static [Field],
}

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// True for tables, whose lists can not be written as comma separated text.
    const STRUCTURED: bool = false;

    fn kind() -> Kind;

    /// Reads the value, or reports everything that is wrong with it.
    fn read(given: &Given, place: &Place) -> Result<Self, Vec<Problem>>;

    /// The value in TOML, secrets masked.
    fn show(&self) -> toml::Value;

    /// The lines this value takes in the listing of effective values: place (with its key) and value.
    fn lines(&self, given: &Given, place: &Place) -> Vec<(Place, toml::Value)> {
        vec![(Place { origin: place.origin_of(given), ..place.clone() }, self.show())]
    }
}

/// How a scalar is written in TOML.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Written {
    Quoted,
    Number,
    Truth,
    /// A number, or text in quotes.
    NumberOrQuoted,
}

/// A [`Value`] that is written as one piece of text.
pub(super) trait Scalar: Sized {
    /// The type with its article, continuing "is not": "a duration".
    const KIND: &'static str;
    const WRITTEN: Written = Written::Quoted;
    const SECRET: bool = false;

    /// Everything that may be written, in words.
    fn allowed() -> String;

    /// The same for a cell of the manual, which explains the common types once.
    fn brief() -> String {
        Self::allowed()
    }

    /// The value of `text`, or why not, continuing a sentence that begins with the text: "is not …".
    fn parse(text: &str) -> Result<Self, String>;

    /// The value in TOML; a secret is masked here.
    fn show(&self) -> toml::Value;
}

/// A type whose settings live together under one key.
pub(super) trait Section: Sized {
    /// What is known about this section and those inside it; `key` is where the tree puts it.
    fn groups(key: &'static str) -> Vec<Group>;

    /// Takes every setting from the highest layer that has it. `None` only if a default is broken.
    fn resolve(key: &str, layers: &Layers, resolving: &mut Resolving) -> Option<Self>;
}

/// A table in a list, such as one `[[app]]`.
pub(super) trait Record: Sized {
    /// True if the listing of effective values shows the whole table in one line.
    const ONE_LINE: bool;

    /// What the keys must satisfy together.
    fn check(&self) -> Result<(), String>;
}

impl Field {
    /// The type in a few words, the range included.
    pub(super) fn brief(&self) -> String {
        let brief = (self.kind)().brief;
        match self.range {
            Some((low, high)) => format!("{brief}, {low} to {high}"),
            None => brief,
        }
    }

    /// The default in TOML; `None` if the key must be given.
    pub(super) fn default_in_toml(&self) -> Option<toml::Value> {
        self.default.and_then(self.shown)
    }

    /// The dotted key in the section `section`.
    pub(super) fn key(&self, section: &str) -> String {
        if section.is_empty() { self.name.to_owned() } else { format!("{section}.{}", self.name) }
    }
}

/// The value of a default, in TOML.
pub(super) fn shown<T: Value>(default: &str) -> Option<toml::Value> {
    let place = Place::new(super::problem::Origin::Default, "");
    T::read(&Given::bare(default), &place).ok().map(|value| value.show())
}

/// Reads the value of a field, its range included (`within` tells whether the value lies in it).
pub(super) fn read_field<T: Value>(
    field: &Field,
    given: &Given,
    place: Place,
    within: impl Fn(&T) -> bool,
) -> Result<T, Vec<Problem>> {
    let place = Place { secret: place.secret || (field.kind)().secret, range: field.range, ..place };
    let value = T::read(given, &place)?;
    if within(&value) {
        return Ok(value);
    }
    Err(vec![place.bad_value(given, "is out of range", &(field.kind)().allowed)])
}

/// Whether `value` lies in the range given as text. A range that does not parse admits nothing.
pub(super) fn within<T: Scalar + PartialOrd>(value: &T, low: &str, high: &str) -> bool {
    T::parse(low).is_ok_and(|low| low <= *value) && T::parse(high).is_ok_and(|high| *value <= high)
}

/// Reads the field of a table from its entry, else from its default.
pub(super) fn read_entry<T: Value>(field: &Field, table: &Given, place: &Place) -> Result<T, Vec<Problem>> {
    let default = field.default.map(Given::bare);
    let Some(given) = entry(table, field.name).or(default.as_ref()) else {
        return Err(vec![place.problem(table, format!("the key {:?} is missing", field.name))]);
    };
    read_field(field, given, place.inside(field.name), |_| true)
}

/// The value of `name` in a table.
pub(super) fn entry<'a>(table: &'a Given, name: &str) -> Option<&'a Given> {
    let What::Table(entries) = &table.what else { return None };
    entries.iter().find(|entry| entry.key == name).map(|entry| &entry.value)
}

/// The entries of a table that no field has, or the value that is no table at all.
pub(super) fn foreign_entries(group: &Group, table: &Given, place: &Place) -> Vec<Problem> {
    let What::Table(entries) = &table.what else {
        return vec![place.bad_value(table, "is not a table", &table_form(group))];
    };
    let known = |key: &str| group.fields.iter().any(|field| field.name == key);
    let foreign = entries.iter().filter(|entry| !known(&entry.key));
    foreign
        .map(|entry| {
            let nearest = super::nearest::nearest(&entry.key, group.fields.iter().map(|field| field.name));
            let message = format!("no such key; the nearest known key is {}", nearest.unwrap_or_default());
            Problem::new(place.origin_at(entry.line), place.inside(&entry.key).key, message)
        })
        .collect()
}

/// How one table of a list is written: `{ path = …, allow = … }`.
pub(super) fn table_form(group: &Group) -> String {
    let keys: Vec<String> = group.fields.iter().map(|field| format!("{} = …", field.name)).collect();
    format!("{{ {} }}", keys.join(", "))
}

/// One [`Field`] out of the pieces of a definition.
macro_rules! field {
    (
        $name:ident, $type:ty, [$($doc:literal)+], [$($default:literal)?], [$($low:literal $high:literal)?]
    ) => {{
        #[allow(unused_mut, unused_assignments, reason = "a definition may have no default and no range")]
        const FIELD: $crate::config::definition::Field = {
            let mut default = None;
            let mut range = None;
            $( default = Some($default); )?
            $( range = Some(($low, $high)); )?
            $crate::config::definition::Field {
                name: stringify!($name),
                doc: concat!($($doc, "\n"),+),
                default,
                range,
                kind: <$type as $crate::config::definition::Value>::kind,
                shown: $crate::config::definition::shown::<$type>,
            }
        };
        FIELD
    }};
}

/// Defines a section of settings: a public struct, its reader and its documentation.
///
/// A setting is `/// meaning`, `name: Type = "default" in "low"..="high";` (the range where there is one).
/// Sections inside it follow as `section name: Type;`.
macro_rules! settings {
    (
        $(#[doc = $intro:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty = $default:literal $(in $low:literal ..= $high:literal)? ;
            )*
            $( section $sub:ident : $sub_type:ty ; )*
        }
    ) => {
        $(#[doc = $intro])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
            $( #[doc = concat!("The section `[", stringify!($sub), "]`.")] pub $sub: $sub_type, )*
        }

        impl $crate::config::definition::Section for $name {
            fn groups(key: &'static str) -> Vec<$crate::config::definition::Group> {
                use $crate::config::definition::{Field, Group, field};
                const FIELDS: &[Field] =
                    &[$( field!($field, $type, [$($doc)+], [$default], [$($low $high)?]) ),*];
                #[allow(unused_mut, reason = "most sections have none inside")]
                let mut groups = vec![Group { key, intro: concat!($($intro, "\n"),+), fields: FIELDS }];
                $(
                    let inside = <$sub_type as $crate::config::definition::Section>::groups(stringify!($sub));
                    groups.extend(inside);
                )*
                groups
            }

            fn resolve(
                key: &str,
                layers: &$crate::config::layer::Layers,
                resolving: &mut $crate::config::resolve::Resolving,
            ) -> Option<Self> {
                #[allow(unused_imports, reason = "not every section has ranges")]
                use $crate::config::definition::{field, within};
                $(
                    let $field = resolving.take::<$type>(
                        key,
                        &field!($field, $type, [$($doc)+], [$default], [$($low $high)?]),
                        layers,
                        |_value| true $( && within(_value, $low, $high) )?,
                    );
                )*
                $( let $sub = <$sub_type as $crate::config::definition::Section>::resolve(
                    stringify!($sub),
                    layers,
                    resolving,
                ); )*
                Some(Self { $( $field: $field?, )* $( $sub: $sub?, )* })
            }
        }
    };
}

/// Defines a table in a list of settings, such as one `[[app]]`. As [`settings!`], but a key without default
/// must be given, no key has a range, and what the keys must satisfy together is the type's own
/// `Record::check`.
macro_rules! record {
    (
        $(#[doc = $intro:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty $(= $default:literal)? ;
            )*
        }
    ) => {
        $(#[doc = $intro])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl $name {
            fn group() -> $crate::config::definition::Group {
                use $crate::config::definition::{Field, Group, field};
                const FIELDS: &[Field] =
                    &[$( field!($field, $type, [$($doc)+], [$($default)?], []) ),*];
                Group { key: "", intro: concat!($($intro, "\n"),+), fields: FIELDS }
            }
        }

        impl $crate::config::definition::Value for $name {
            const STRUCTURED: bool = true;

            fn kind() -> $crate::config::definition::Kind {
                $crate::config::definition::Kind {
                    allowed: $crate::config::definition::table_form(&Self::group()),
                    brief: "table, see below".to_owned(),
                    secret: false,
                    items: Some(Self::group()),
                }
            }

            fn read(
                given: &$crate::config::given::Given,
                place: &$crate::config::problem::Place,
            ) -> Result<Self, Vec<$crate::config::problem::Problem>> {
                use $crate::config::definition::{Record, field, foreign_entries, read_entry};
                let mut problems = foreign_entries(&Self::group(), given, place);
                if !matches!(given.what, $crate::config::given::What::Table(_)) {
                    return Err(problems);
                }
                $(
                    let $field = read_entry::<$type>(
                        &field!($field, $type, [$($doc)+], [$($default)?], []),
                        given,
                        place,
                    ).map_err(|found| problems.extend(found)).ok();
                )*
                if !problems.is_empty() {
                    return Err(problems);
                }
                let ($( Some($field), )*) = ($( $field, )*) else { return Err(problems) };
                let record = Self { $( $field, )* };
                match record.check() {
                    Ok(()) => Ok(record),
                    Err(message) => Err(vec![place.problem(given, message)]),
                }
            }

            fn show(&self) -> toml::Value {
                use $crate::config::definition::Value;
                let mut table = toml::Table::new();
                $( table.insert(stringify!($field).to_owned(), Value::show(&self.$field)); )*
                table.retain(|_, value| !$crate::config::definition::is_empty(value));
                toml::Value::Table(table)
            }

            fn lines(
                &self,
                given: &$crate::config::given::Given,
                place: &$crate::config::problem::Place,
            ) -> Vec<($crate::config::problem::Place, toml::Value)> {
                use $crate::config::definition::{Record, Value, entry};
                let here = $crate::config::problem::Place { origin: place.origin_of(given), ..place.clone() };
                if Self::ONE_LINE {
                    return vec![(here, self.show())];
                }
                let mut lines = Vec::new();
                $(
                    let inside = here.inside(stringify!($field));
                    let value = entry(given, stringify!($field)).unwrap_or(given);
                    lines.extend(Value::lines(&self.$field, value, &inside));
                )*
                lines
            }
        }
    };
}

/// Empty text and empty lists, which a table in a list does not show.
pub(super) fn is_empty(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => text.is_empty(),
        toml::Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

pub(super) use {field, record, settings};
