//! Rust files as syntax: what each defines, names and imports.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Fields, Item, UseTree, Visibility};

use super::tree::Tree;

/// A path as written, in the module in which it is written.
pub(super) struct Mention {
    pub(super) line: usize,
    /// Inline modules around it, in the file.
    pub(super) inside: Vec<String>,
    pub(super) path: Vec<String>,
    /// Compiled into tests only.
    pub(super) test: bool,
}

/// What a file imports: `name` stands for `path`; a glob has the name `*`.
pub(super) struct Import {
    pub(super) name: String,
    /// Others may import it from here.
    pub(super) public: bool,
    pub(super) mention: Mention,
}

/// A type that is defined.
pub(super) struct Type {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) public: bool,
    pub(super) fields: usize,
    pub(super) test: bool,
}

/// A function with a body.
pub(super) struct Function {
    pub(super) line: usize,
    /// Lines after the first.
    pub(super) length: usize,
}

/// One file.
#[derive(Default)]
pub(super) struct Source {
    /// Names of all that is defined at the file's top, modules excluded.
    pub(super) defined: BTreeSet<String>,
    /// Modules in files of their own, in order: name, and whether only tests have it.
    pub(super) modules: Vec<(String, bool)>,
    pub(super) imports: Vec<Import>,
    pub(super) mentions: Vec<Mention>,
    pub(super) types: Vec<Type>,
    pub(super) functions: Vec<Function>,
    inside: Vec<String>,
    tests: usize,
}

/// All files that can be read; the others are breaches.
pub(super) fn parse(tree: &Tree, out: &mut Vec<String>) -> BTreeMap<String, syn::File> {
    let mut files = BTreeMap::new();
    for (path, text) in tree.rust() {
        match syn::parse_file(text) {
            Ok(file) => {
                files.insert(path.to_owned(), file);
            }
            Err(error) => out.push(format!("{path}:{}: {error}", error.span().start().line)),
        }
    }
    files
}

/// What each file defines, names and imports.
pub(super) fn sources(files: &BTreeMap<String, syn::File>) -> BTreeMap<String, Source> {
    let read = |file: &syn::File| {
        let mut source = Source::default();
        source.visit_file(file);
        source
    };
    files.iter().map(|(path, file)| (path.clone(), read(file))).collect()
}

impl Source {
    fn mention(&self, line: usize, path: Vec<String>) -> Mention {
        Mention { line, inside: self.inside.clone(), path, test: self.tests > 0 }
    }

    fn import(&mut self, public: bool, before: &[String], tree: &UseTree) {
        let mut path = before.to_vec();
        let (name, ident) = match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                return self.import(public, &path, &inner.tree);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|inner| self.import(public, before, inner));
            }
            UseTree::Glob(_) => ("*".to_owned(), None),
            UseTree::Name(leaf) if leaf.ident == "self" => (before.last().cloned().unwrap_or_default(), None),
            UseTree::Name(leaf) => (leaf.ident.to_string(), Some(leaf.ident.to_string())),
            UseTree::Rename(leaf) => (leaf.rename.to_string(), Some(leaf.ident.to_string())),
        };
        path.extend(ident);
        let mention = self.mention(tree.span().start().line, path);
        self.imports.push(Import { name, public, mention });
    }

    fn define(&mut self, name: &syn::Ident, visibility: &Visibility, fields: usize) {
        // A name that only the folder knows is the folder's affair.
        let public = match visibility {
            Visibility::Public(_) => true,
            Visibility::Restricted(within) => within.path.is_ident("crate"),
            Visibility::Inherited => false,
        };
        let line = name.span().start().line;
        self.types.push(Type { name: name.to_string(), line, public, fields, test: self.tests > 0 });
    }

    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let line = signature.span().start().line;
        let length = body.brace_token.span.close().end().line - line;
        self.functions.push(Function { line, length });
    }

    /// Paths in what a macro is given, of which nothing is known but the tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut line = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.token_path(line, &mut path);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.token_path(line, &mut path);
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.token_path(line, &mut path),
            }
        }
        self.token_path(line, &mut path);
    }

    fn token_path(&mut self, line: usize, path: &mut Vec<String>) {
        if !path.is_empty() {
            let mention = self.mention(line, std::mem::take(path));
            self.mentions.push(mention);
        }
    }
}

/// `#[cfg(test)]`, alone or in an `all`.
pub(super) fn only_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let Ok(list) = attribute.meta.require_list() else { return false };
        let text = list.tokens.to_string();
        text == "test" || (text.starts_with("all") && text.contains("test") && !text.contains("not"))
    })
}

pub(super) fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<&syn::Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        _ => None,
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        let test = only_tests(attributes(item));
        self.tests += usize::from(test);
        if let Some(name) = name(item).filter(|_| self.inside.is_empty()) {
            self.defined.insert(name.to_string());
        }
        match item {
            Item::Struct(item) => {
                let fields = if let Fields::Named(named) = &item.fields { named.named.len() } else { 0 };
                self.define(&item.ident, &item.vis, fields);
            }
            Item::Enum(item) => self.define(&item.ident, &item.vis, 0),
            Item::Trait(item) => self.define(&item.ident, &item.vis, 0),
            Item::Type(item) => self.define(&item.ident, &item.vis, 0),
            Item::Mod(item) if item.content.is_none() => {
                self.modules.push((item.ident.to_string(), self.tests > 0));
            }
            _ => {}
        }
        let module = if let Item::Mod(item) = item { Some(item.ident.to_string()) } else { None };
        self.inside.extend(module.clone());
        visit::visit_item(self, item);
        if module.is_some() {
            self.inside.pop();
        }
        self.tests -= usize::from(test);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(!matches!(item.vis, Visibility::Inherited), &[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let mention = self.mention(path.span().start().line, names);
        self.mentions.push(mention);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, macro_: &'ast syn::Macro) {
        self.tokens(macro_.tokens.clone());
        visit::visit_macro(self, macro_);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.function(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
