//! From raw layers to typed values: the highest layer that has a key wins, and every layer must be right.

use std::collections::BTreeSet;

use super::definition::{Field, Section, Value, read_field};
use super::effective::Effective;
use super::given::Given;
use super::layer::{Findings, Layers};
use super::problem::{Origin, Place, Problem};
use super::schema::Schema;
use super::sources::Sources;

/// What is collected while a tree takes its values.
#[derive(Debug, Default)]
pub(super) struct Resolving {
    pub(super) problems: Vec<Problem>,
    pub(super) effective: Vec<Effective>,
    /// Keys whose value is not what somebody meant, because what was written is wrong.
    pub(super) broken: BTreeSet<String>,
    /// True if the file could not be read as TOML.
    pub(super) unreadable: bool,
}

/// Reads a whole tree of settings. A key with a wrong value keeps a lower one, so that the rest can be
/// checked; the tree counts only when there are no problems.
pub(super) fn resolve<T: Section>(sources: &Sources) -> (Option<T>, Resolving) {
    let schema = Schema::of::<T>();
    let (layers, findings) = Layers::read(sources, &schema);
    let Findings { problems, meant, unreadable } = findings;
    let mut resolving = Resolving { problems, unreadable, ..Resolving::default() };
    resolving.broken.extend(meant);
    let tree = T::resolve("", &layers, &mut resolving);
    (tree, resolving)
}

impl Resolving {
    /// Takes the value of one setting. Every layer is read, so that a wrong value is found even where a
    /// higher layer hides it.
    pub(super) fn take<T: Value>(
        &mut self,
        section: &str,
        field: &Field,
        layers: &Layers,
        within: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let key = field.key(section);
        let default = (Place::new(Origin::Default, &key), Given::bare(field.default.unwrap_or_default()));
        let mut taken = None;
        for (place, given) in std::iter::once(&default).chain(layers.of(&key)) {
            match read_field(field, given, place.clone(), &within) {
                Ok(value) => taken = Some((value, given, place)),
                Err(problems) => {
                    self.problems.extend(problems);
                    self.broken.insert(key.clone());
                }
            }
        }
        let (value, given, place) = taken?;
        let lines = value.lines(given, place);
        self.effective.extend(lines.into_iter().map(|(place, value)| Effective {
            key: place.key,
            value,
            origin: place.origin,
        }));
        Some(value)
    }
}
