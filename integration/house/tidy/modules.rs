//! Which file a path leads to: modules, imports and what is imported from there.

use std::collections::{BTreeMap, BTreeSet};

use super::syntax::{Mention, Source};

/// Imports of imports are followed so far; a circle of them ends here.
const DEPTH_MAX: usize = 8;

/// The library's modules that have files.
pub(super) struct Modules<'a> {
    sources: &'a BTreeMap<String, Source>,
    /// Path of a module -> its file; the root is the empty path.
    files: BTreeMap<Vec<String>, &'a str>,
    /// Modules that only tests have.
    tests: BTreeSet<Vec<String>>,
}

/// The module that a file is, without the library's name.
pub(super) fn module_of(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    if inner == "main" {
        return None;
    }
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    Some(inner.split('/').filter(|part| *part != "lib").map(str::to_owned).collect())
}

impl<'a> Modules<'a> {
    pub(super) fn new(sources: &'a BTreeMap<String, Source>) -> Modules<'a> {
        let files: BTreeMap<Vec<String>, &str> =
            sources.keys().filter_map(|path| Some((module_of(path)?, path.as_str()))).collect();
        let mut tests = BTreeSet::new();
        for (module, path) in &files {
            for (name, _) in sources[*path].modules.iter().filter(|(_, test)| *test) {
                tests.insert(module.iter().chain([name]).cloned().collect());
            }
        }
        Modules { sources, files, tests }
    }

    /// Modules and their files.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Vec<String>, &'a str)> {
        self.files.iter().map(|(module, path)| (module, *path))
    }

    /// Whether only tests have this module.
    pub(super) fn is_test(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|depth| self.tests.contains(&module[..depth]))
    }

    /// The names of a mention from the library's root on, if it says where it begins.
    pub(super) fn absolute(&self, module: &[String], mention: &Mention) -> Option<Vec<String>> {
        let mut at: Vec<String> = module.iter().chain(&mention.inside).cloned().collect();
        let mut path = mention.path.iter().peekable();
        match path.peek()?.as_str() {
            "crate" => at.clear(),
            "self" | "super" => {}
            _ => return None,
        }
        while let Some(word) = path.next_if(|word| ["crate", "self", "super"].contains(&word.as_str())) {
            if word == "super" {
                at.pop();
            }
        }
        at.extend(path.cloned());
        Some(at)
    }

    /// The file that defines what `mention` names; none if it is a module, or not ours.
    pub(super) fn file_of(&self, module: &[String], mention: &Mention) -> Option<&'a str> {
        match self.absolute(module, mention) {
            Some(path) => self.walk(&path, 0),
            None => self.in_scope(module, &mention.path, 0),
        }
    }

    /// A path whose first name is known in `module`: a module below, something defined or imported there.
    fn in_scope(&self, module: &[String], path: &[String], depth: usize) -> Option<&'a str> {
        let first = path.first()?;
        let below: Vec<String> = module.iter().chain(path).cloned().collect();
        if self.files.contains_key(&below[..=module.len()]) {
            return self.walk(&below, depth);
        }
        let source = self.source(module)?;
        if source.defined.contains(first) {
            return self.files.get(module).copied();
        }
        let import = source.imports.iter().find(|import| import.name == *first)?;
        self.follow(module, &import.mention, &path[1..], depth)
    }

    /// What `rest` names in that which `import` names.
    fn follow(&self, module: &[String], import: &Mention, rest: &[String], depth: usize) -> Option<&'a str> {
        if depth > DEPTH_MAX {
            return None;
        }
        let path = import.path.iter().chain(rest).cloned().collect();
        let mention = Mention { path, inside: import.inside.clone(), ..*import };
        match self.absolute(module, &mention) {
            Some(path) => self.walk(&path, depth + 1),
            None => self.in_scope(module, &mention.path, depth + 1),
        }
    }

    fn source(&self, module: &[String]) -> Option<&'a Source> {
        self.files.get(module).map(|path| &self.sources[*path])
    }

    /// A path from the root: modules as far as there are files, then a name in the last of them.
    fn walk(&self, path: &[String], depth: usize) -> Option<&'a str> {
        let known = (0..=path.len()).rev().find(|depth| self.files.contains_key(&path[..*depth]))?;
        let (module, rest) = path.split_at(known);
        rest.first()?;
        self.in_scope(module, rest, depth).or_else(|| {
            let globs = self.source(module)?.imports.iter().filter(|import| import.name == "*");
            let mut by_glob = globs.filter_map(|glob| self.follow(module, &glob.mention, rest, depth));
            by_glob.next().or_else(|| (!module.is_empty()).then(|| self.files[module]))
        })
    }
}
