//! What is offered and taken by nobody: items that more may see than use them. Judged by names alone.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Ident, Item, Visibility};

use super::modules::Modules;
use super::ratchet::Ratchets;
use super::syntax::{Source, attributes, only_tests};
use super::tree::Tree;

/// Something that is offered.
struct Offer {
    path: String,
    line: usize,
    name: String,
    /// To all layers, not just to other files of one.
    public: bool,
}

/// What a file offers, and the names by which its offers are made: who calls a function need not name its types.
#[derive(Default)]
struct Reader {
    path: String,
    offers: Vec<Offer>,
    shown: BTreeSet<String>,
}

pub(super) fn judge(
    tree: &Tree,
    files: &BTreeMap<String, syn::File>,
    sources: &BTreeMap<String, Source>,
    ratchets: &Ratchets,
    out: &mut Vec<String>,
) {
    let modules = Modules::new(sources);
    let names: BTreeMap<&str, BTreeSet<String>> =
        tree.rust().map(|(path, text)| (path, names(text.parse().unwrap_or_default()))).collect();
    let others = renamed(sources);
    let mut offers = Vec::new();
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, path) in modules.files().filter(|(module, _)| !modules.is_test(module)) {
        let mut reader = Reader { path: path.to_owned(), ..Reader::default() };
        reader.visit_file(&files[path]);
        offers.extend(reader.offers);
        shown.entry(layer(path)).or_default().extend(reader.shown);
    }
    let (mut unused, mut narrow) = (Vec::new(), Vec::new());
    for Offer { path, line, name, public } in offers {
        let own = layer(&path);
        if shown[&own].contains(&name) {
            continue;
        }
        let known = others.iter().filter(|(old, _)| *old == name).map(|(_, new)| *new).chain([name.as_str()]);
        let known: Vec<&str> = known.collect();
        let has = |names: &BTreeSet<String>| known.iter().any(|name| names.contains(*name));
        let mut users = names.iter().filter(|(user, names)| **user != path && has(names));
        if public && !users.any(|(user, _)| layer(user) != own) {
            unused.push((1, format!("{path}:{line}: {name} is pub, and no other layer has this name")));
        } else if !public && users.next().is_none() {
            narrow
                .push((1, format!("{path}:{line}: {name} is for other files, of which none has this name")));
        }
    }
    ratchets.unused.judge(&unused, out);
    ratchets.narrow.judge(&narrow, out);
}

/// What is handed on under another name: the old one and the new one.
fn renamed(sources: &BTreeMap<String, Source>) -> Vec<(&str, &str)> {
    let imports = sources.values().flat_map(|source| &source.imports).filter(|import| import.public);
    let pairs = imports.filter_map(|it| Some((it.mention.path.last()?.as_str(), it.name.as_str())));
    pairs.filter(|(old, new)| old != new && *new != "*").collect()
}

/// The layer that a file belongs to: src/storage, src/server; what stands outside of the library is a layer for itself.
fn layer(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').take(2).collect();
    parts.join("/").trim_end_matches(".rs").to_owned()
}

fn names(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                found.insert(ident.to_string());
            }
            TokenTree::Group(group) => found.extend(names(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// The names of which an offer is made.
struct Shown<'a>(&'a mut BTreeSet<String>);

impl<'ast> Visit<'ast> for Shown<'_> {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.0.insert(ident.to_string());
    }
}

impl Reader {
    /// Whether the item is offered to anybody.
    fn offer(&mut self, name: &Ident, visibility: &Visibility) -> bool {
        let offered = !matches!(visibility, Visibility::Inherited);
        if offered {
            let (path, line) = (self.path.clone(), name.span().start().line);
            let public = matches!(visibility, Visibility::Public(_));
            self.offers.push(Offer { path, line, name: name.to_string(), public });
        }
        offered
    }

    /// A function's name says nothing of what it is called with.
    fn offer_function(&mut self, signature: &syn::Signature, visibility: &Visibility) {
        if self.offer(&signature.ident, visibility) {
            let mut shown = Shown(&mut self.shown);
            shown.visit_generics(&signature.generics);
            signature.inputs.iter().for_each(|input| match input {
                syn::FnArg::Typed(input) => shown.visit_type(&input.ty),
                syn::FnArg::Receiver(_) => {}
            });
            shown.visit_return_type(&signature.output);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if only_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Const(item) if self.offer(&item.ident, &item.vis) => {
                Shown(&mut self.shown).visit_type(&item.ty);
            }
            Item::Enum(item) if self.offer(&item.ident, &item.vis) => {
                item.variants.iter().for_each(|it| Shown(&mut self.shown).visit_fields(&it.fields));
            }
            Item::Trait(item) if self.offer(&item.ident, &item.vis) => {
                item.items.iter().for_each(|it| Shown(&mut self.shown).visit_trait_item(it));
            }
            Item::Type(item) if self.offer(&item.ident, &item.vis) => {
                Shown(&mut self.shown).visit_type(&item.ty);
            }
            Item::Struct(item) => drop(self.offer(&item.ident, &item.vis)),
            Item::Fn(item) => self.offer_function(&item.sig, &item.vis),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !matches!(field.vis, Visibility::Inherited) {
            Shown(&mut self.shown).visit_type(&field.ty);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !only_tests(&function.attrs) {
            self.offer_function(&function.sig, &function.vis);
        }
    }

    fn visit_impl_item_const(&mut self, constant: &'ast syn::ImplItemConst) {
        self.offer(&constant.ident, &constant.vis);
    }

    fn visit_impl_item_type(&mut self, kind: &'ast syn::ImplItemType) {
        Shown(&mut self.shown).visit_type(&kind.ty);
    }
}
