//! What is defined: functions that are too long, structs that are too wide, names that stand for two types.

use std::collections::BTreeMap;

use super::modules::Modules;
use super::ratchet::{Found, Ratchets};
use super::syntax::Source;

pub(super) const FUNCTION_LINES_MAX: usize = 70;
pub(super) const STRUCT_FIELDS_MAX: usize = 15;
/// Where a struct with many fields is the place in which everything meets.
pub(super) const HEARTS: [&str; 2] = ["src/broker/", "src/node/"];

pub(super) fn judge(sources: &BTreeMap<String, Source>, ratchets: &Ratchets, out: &mut Vec<String>) {
    for (path, source) in sources {
        for function in source.functions.iter().filter(|function| function.length > FUNCTION_LINES_MAX) {
            let (line, length) = (function.line, function.length);
            out.push(format!("{path}:{line}: a function of {length} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
    let modules = Modules::new(sources);
    let mut wide = Vec::new();
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (_, path) in modules.files().filter(|(module, _)| !modules.is_test(module)) {
        for it in sources[path].types.iter().filter(|it| !it.test) {
            if it.fields > STRUCT_FIELDS_MAX && HEARTS.iter().any(|heart| path.starts_with(heart)) {
                let (name, line, fields) = (&it.name, it.line, it.fields);
                let breach =
                    format!("{path}:{line}: {name} has {fields} fields, at most {STRUCT_FIELDS_MAX}");
                // The number is part of the key, so that what is too wide grows no wider.
                wide.push(Found::new(&format!("{name} {fields}"), breach));
            }
            if it.public {
                places.entry(&it.name).or_default().push(format!("{path}:{}", it.line));
            }
        }
    }
    ratchets.wide_structs.judge(wide, out);
    let doubles = places.iter().filter(|(_, places)| places.len() > 1);
    let doubles = doubles.map(|(name, places)| {
        Found::new(name, format!("{}: {name} is the name of {} types", places.join(", "), places.len()))
    });
    ratchets.doubles.judge(doubles.collect(), out);
}
