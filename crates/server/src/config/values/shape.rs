//! The shapes around scalars: one, none or one, and a list.

use crate::config::definition::{Kind, Scalar, Value, Written};
use crate::config::given::{self, Given, What};
use crate::config::problem::{Place, Problem};

impl<T: Scalar> Value for T {
    fn kind() -> Kind {
        Kind { allowed: T::allowed(), brief: T::brief(), secret: T::SECRET, items: None }
    }

    fn read(given: &Given, place: &Place) -> Result<T, Vec<Problem>> {
        let text = match (&given.what, T::WRITTEN) {
            (What::Bare(_), _)
            | (What::Quoted(_), Written::Quoted | Written::NumberOrQuoted)
            | (What::Number(_), Written::Number | Written::NumberOrQuoted)
            | (What::Truth(_), Written::Truth) => given.text(),
            _ => return Err(vec![wrong_type::<T>(given, place)]),
        };
        T::parse(&text).map_err(|reason| vec![place.bad_value(given, &reason, &T::allowed())])
    }

    fn show(&self) -> toml::Value {
        Scalar::show(self)
    }
}

fn wrong_type<T: Scalar>(given: &Given, place: &Place) -> Problem {
    let found = match &given.what {
        What::Bare(_) | What::Quoted(_) => "is text in quotes",
        What::Number(_) => "is a number",
        What::Truth(_) => "is a truth value",
        What::Other(_) => "is a fraction or a date",
        What::List(_) => "is a list",
        What::Table(_) => "is a table",
    };
    place.bad_value(given, &format!("{found}, not {}", T::KIND), &T::allowed())
}

/// The empty text means "not set".
impl<T: Scalar> Value for Option<T> {
    fn kind() -> Kind {
        let kind = <T as Value>::kind();
        Kind { allowed: format!("{}, or nothing", kind.allowed), ..kind }
    }

    fn read(given: &Given, place: &Place) -> Result<Self, Vec<Problem>> {
        match &given.what {
            What::Bare(text) | What::Quoted(text) if text.is_empty() => Ok(None),
            _ => <T as Value>::read(given, place).map(Some),
        }
    }

    fn show(&self) -> toml::Value {
        self.as_ref().map_or(toml::Value::String(String::new()), |value| Value::show(value))
    }
}

impl<T: Value> Value for Vec<T> {
    fn kind() -> Kind {
        let item = T::kind();
        let allowed = if T::STRUCTURED {
            format!("a list of tables, each {}", item.allowed)
        } else {
            format!("a list, each {}", item.allowed)
        };
        Kind { allowed, brief: format!("list of: {}", item.brief), ..item }
    }

    fn read(given: &Given, place: &Place) -> Result<Self, Vec<Problem>> {
        let parts;
        let items = match &given.what {
            What::List(items) => items,
            What::Bare(text) => {
                parts = parts_of::<T>(text, given, place)?;
                &parts
            }
            _ => return Err(vec![place.bad_value(given, "is not a list", &Self::kind().allowed)]),
        };
        let (mut values, mut problems) = (Vec::with_capacity(items.len()), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match T::read(item, &place.item(index + 1)) {
                Ok(value) => values.push(value),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }

    fn show(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(Value::show).collect())
    }

    fn lines(&self, given: &Given, place: &Place) -> Vec<(Place, toml::Value)> {
        if !T::STRUCTURED || self.is_empty() {
            return vec![(Place { origin: place.origin_of(given), ..place.clone() }, self.show())];
        }
        let written = match &given.what {
            What::Bare(text) => parts_of::<T>(text, given, place).unwrap_or_default(),
            What::List(items) => items.clone(),
            _ => Vec::new(),
        };
        let pairs = self.iter().zip(written).enumerate();
        pairs.flat_map(|(index, (value, given))| value.lines(&given, &place.item(index + 1))).collect()
    }
}

/// Splits the text of an environment variable or a flag: a TOML array when it begins with a bracket, else
/// pieces between commas.
fn parts_of<T: Value>(text: &str, given: &Given, place: &Place) -> Result<Vec<Given>, Vec<Problem>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if !text.starts_with('[') {
        if T::STRUCTURED {
            return Err(vec![place.bad_value(given, "is not a TOML array", &Vec::<T>::kind().allowed)]);
        }
        return Ok(text.split(',').map(|part| Given::bare(part.trim())).collect());
    }
    match given::inline(text) {
        Ok(Given { what: What::List(items), .. }) => Ok(items),
        Ok(_) => Err(vec![place.bad_value(given, "is not a TOML array", &Vec::<T>::kind().allowed)]),
        Err(reason) => {
            let reason = format!("is not a TOML array ({reason})");
            Err(vec![place.bad_value(given, &reason, &Vec::<T>::kind().allowed)])
        }
    }
}
