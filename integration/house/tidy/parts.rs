//! Parts: the structs of broker and node. Who can reach their fields, where their functions stand, who takes how many.

use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{FnArg, Item, Type, Visibility};

use super::definitions::HEARTS;
use super::modules::Modules;
use super::ratchet::Ratchets;
use super::syntax::{Mention, Source, attributes, only_tests};

/// A function that takes more parts than this to change them holds the whole broker in its hands.
pub(super) const PARTS_MAX: usize = 3;

/// A struct: the file that defines it, and its name there.
type Part = (String, String);

#[derive(Default)]
struct Found {
    /// Structs with the line and the number of fields that are seen outside of their file.
    structs: BTreeMap<Part, (usize, usize)>,
    /// Structs that somebody changes by reference; what nobody changes so is plain data, and its fields may be seen.
    changed: BTreeSet<Part>,
    /// Functions with their place and the structs that they take to change.
    takers: Vec<(String, usize, Vec<Part>)>,
    /// `impl` blocks: their place and the struct.
    impls: Vec<(String, usize, Part)>,
}

pub(super) fn judge(
    files: &BTreeMap<String, syn::File>,
    sources: &BTreeMap<String, Source>,
    ratchets: &Ratchets,
    out: &mut Vec<String>,
) {
    let modules = Modules::new(sources);
    let mut found = Found::default();
    let hearts = modules.files().filter(|(_, path)| HEARTS.iter().any(|heart| path.starts_with(heart)));
    for (module, path) in hearts.filter(|(module, _)| !modules.is_test(module)) {
        let mut reader = Reader { modules: &modules, module, path, found: &mut found, of: Vec::new() };
        reader.visit_file(&files[path]);
    }
    let Found { structs, changed, takers, impls } = found;
    let open = structs.iter().filter(|(part, (_, open))| *open > 0 && changed.contains(*part));
    let open = open.map(|((path, name), (line, open))| {
        (*open, format!("{path}:{line}: {open} fields of {name} can be changed from outside of the file"))
    });
    ratchets.open_fields.judge(&open.collect::<Vec<_>>(), out);
    let scattered = impls.iter().filter(|(path, _, part)| structs.contains_key(part) && *path != part.0);
    let scattered = scattered.map(|(path, line, (home, name))| {
        (1, format!("{path}:{line}: functions of {name}, which {home} defines"))
    });
    ratchets.scattered.judge(&scattered.collect::<Vec<_>>(), out);
    for (path, line, taken) in takers {
        let taken = taken.iter().filter(|part| structs.contains_key(*part));
        let names: Vec<&str> = taken.map(|(_, name)| name.as_str()).collect();
        if names.len() > PARTS_MAX {
            let (count, names) = (names.len(), names.join(", "));
            out.push(format!(
                "{path}:{line}: a function changes {count} parts, at most {PARTS_MAX}: {names}"
            ));
        }
    }
}

/// Reads one file.
struct Reader<'a> {
    modules: &'a Modules<'a>,
    module: &'a [String],
    path: &'a str,
    found: &'a mut Found,
    /// The type whose functions are read.
    of: Vec<Option<Part>>,
}

impl Reader<'_> {
    /// The struct that a type's path leads to.
    fn part(&self, kind: &Type) -> Option<Part> {
        let Type::Path(kind) = kind else { return None };
        let path: Vec<String> = kind.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if path == ["Self"] {
            return self.of.last().cloned().flatten();
        }
        let name = path.last()?.clone();
        let mention = Mention { line: 0, inside: Vec::new(), path, test: false };
        Some((self.modules.file_of(self.module, &mention)?.to_owned(), name))
    }

    /// What a type lets its holder change.
    fn changed(&self, kind: &Type) -> Option<Part> {
        match kind {
            Type::Reference(reference) if reference.mutability.is_some() => self.part(&reference.elem),
            _ => None,
        }
    }

    fn signature(&mut self, signature: &syn::Signature) {
        let own = |input: &&FnArg| matches!(input, FnArg::Receiver(it) if it.reference.is_some() && it.mutability.is_some());
        let receiver = signature.inputs.iter().find(own).and_then(|_| self.of.last().cloned().flatten());
        let typed = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(input) => self.changed(&input.ty),
            FnArg::Receiver(_) => None,
        });
        let taken: Vec<Part> = receiver.into_iter().chain(typed).collect();
        self.found.changed.extend(taken.iter().cloned());
        self.found.takers.push((self.path.to_owned(), signature.span().start().line, taken));
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if only_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Struct(item) => {
                let open = item.fields.iter().filter(|field| !matches!(field.vis, Visibility::Inherited));
                let part = (self.path.to_owned(), item.ident.to_string());
                self.found.structs.insert(part, (item.ident.span().start().line, open.count()));
            }
            Item::Impl(block) => {
                let part = self.part(&block.self_ty);
                let line = block.impl_token.span.start().line;
                self.found.impls.extend(part.clone().map(|part| (self.path.to_owned(), line, part)));
                self.of.push(part);
                visit::visit_item(self, item);
                self.of.pop();
                return;
            }
            Item::Fn(function) => self.signature(&function.sig),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !only_tests(&function.attrs) {
            self.signature(&function.sig);
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_type(&mut self, kind: &'ast Type) {
        let changed = self.changed(kind);
        self.found.changed.extend(changed);
        visit::visit_type(self, kind);
    }
}
