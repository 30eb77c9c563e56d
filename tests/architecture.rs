//! The rules of the house, read from the real `use` trees and paths of the source.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Paths that a file of `src` mentions, written from the crate's root or from another crate's name.
struct File {
    /// Module path, such as `sim::store`.
    module: String,
    /// Every path that is mentioned outside of test code, such as `crate::domain::size` or `kube::Client`.
    paths: BTreeSet<String>,
    /// `async` functions and blocks occur.
    asynchronous: bool,
    lines: usize,
    longest_function: (String, usize),
}

struct Paths {
    found: BTreeSet<String>,
    asynchronous: bool,
    longest_function: (String, usize),
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test")))
}

fn flatten(tree: &syn::UseTree, prefix: &str, found: &mut BTreeSet<String>) {
    let join = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    match tree {
        syn::UseTree::Path(path) => flatten(&path.tree, &join(&path.ident.to_string()), found),
        syn::UseTree::Name(name) => drop(found.insert(join(&name.ident.to_string()))),
        syn::UseTree::Rename(name) => drop(found.insert(join(&name.ident.to_string()))),
        syn::UseTree::Glob(_) => drop(found.insert(prefix.to_owned())),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, found)),
    }
}

impl Paths {
    fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.brace_token.span;
        let lines = span.close().end().line - span.open().start().line + 1;
        if lines > self.longest_function.1 {
            self.longest_function = (name.to_string(), lines);
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            flatten(&item.tree, "", &mut self.found);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_test(&item.attrs) {
            return;
        }
        self.asynchronous |= item.sig.asyncness.is_some();
        self.measure(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.asynchronous |= item.sig.asyncness.is_some();
        self.measure(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.found.insert(names.join("::"));
        }
        visit::visit_path(self, path);
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module_of(source: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(source).unwrap().with_extension("");
    let parts: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.join("::")
}

/// Modules that exist for tests only: declared under `#[cfg(test)]`, in a file of that name.
fn is_test_module(module: &str) -> bool {
    module.split("::").any(|part| part == "tests" || part.ends_with("_tests"))
}

fn read(source: &Path) -> Vec<File> {
    let mut files = Vec::new();
    rust_files(source, &mut files);
    let modules = files.iter().map(|path| (module_of(source, path), path)).filter(|(module, _)| !is_test_module(module));
    modules.map(|(module, path)| read_file(module, &std::fs::read_to_string(path).unwrap())).collect()
}

fn read_file(module: String, text: &str) -> File {
    let syntax = syn::parse_file(text).unwrap();
    let mut paths = Paths { found: BTreeSet::new(), asynchronous: false, longest_function: (String::new(), 0) };
    paths.visit_file(&syntax);
    let parent = module.rsplit_once("::").map_or(String::new(), |(parent, _)| format!("::{parent}"));
    let absolute = |path: String| match path.strip_prefix("super::") {
        Some(rest) => format!("crate{parent}::{rest}"),
        None => path,
    };
    let lines = text.lines().count();
    let Paths { found, asynchronous, longest_function } = paths;
    File { module, paths: found.into_iter().map(absolute).collect(), asynchronous, lines, longest_function }
}

fn source() -> Vec<File> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn starts(path: &str, prefix: &str) -> bool {
    path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::"))
}

/// Mentions of any of `banned` by the modules under `layer`.
fn broken<'a>(files: &'a [File], layer: &str, banned: &[&str]) -> Vec<(&'a str, &'a str)> {
    let inside = files.iter().filter(|file| starts(&file.module, layer));
    let mentions = inside.flat_map(|file| file.paths.iter().map(|path| (file.module.as_str(), path.as_str())));
    mentions.filter(|(_, path)| banned.iter().any(|prefix| starts(path, prefix))).collect()
}

/// What pure builders of objects must not know.
const BUILDERS: &[&str] = &[
    "tokio",
    "kube::Client",
    "kube::Api",
    "crate::controllers",
    "crate::runtime",
    "crate::kube_io",
    "crate::metric_source",
    "crate::sim",
    "crate::cli",
];

/// What each layer must not know.
const BANS: [(&str, &[&str]); 9] = [
    (
        "domain",
        &[
            "kube",
            "k8s_openapi",
            "tokio",
            "serde_json",
            "crate::api",
            "crate::resources",
            "crate::traffic",
            "crate::controllers",
            "crate::runtime",
            "crate::kube_io",
            "crate::metric_source",
            "crate::sim",
            "crate::cli",
        ],
    ),
    (
        "api",
        &[
            "crate::domain",
            "crate::resources",
            "crate::traffic",
            "crate::controllers",
            "crate::runtime",
            "crate::kube_io",
            "crate::metric_source",
            "crate::sim",
            "crate::cli",
        ],
    ),
    ("resources", BUILDERS),
    ("traffic", BUILDERS),
    ("controllers", &["crate::sim", "crate::cli"]),
    (
        "runtime",
        &[
            "crate::api",
            "crate::domain",
            "crate::resources",
            "crate::traffic",
            "crate::controllers",
            "crate::kube_io",
            "crate::metric_source",
            "crate::sim",
            "crate::cli",
        ],
    ),
    (
        "kube_io",
        &[
            "crate::api",
            "crate::domain",
            "crate::resources",
            "crate::traffic",
            "crate::controllers",
            "crate::metric_source",
            "crate::sim",
            "crate::cli",
        ],
    ),
    (
        "metric_source",
        &[
            "kube",
            "k8s_openapi",
            "crate::resources",
            "crate::traffic",
            "crate::controllers",
            "crate::runtime",
            "crate::kube_io",
            "crate::sim",
            "crate::cli",
        ],
    ),
    (
        "sim",
        &[
            "crate::api",
            "crate::domain",
            "crate::resources",
            "crate::traffic",
            "crate::controllers",
            "crate::runtime",
            "crate::kube_io",
            "crate::metric_source",
            "crate::cli",
        ],
    ),
];

#[test]
fn each_layer_knows_only_what_is_below_it() {
    let files = source();
    for (layer, banned) in BANS {
        assert!(files.iter().any(|file| starts(&file.module, layer)), "there is no {layer}");
        assert_eq!(broken(&files, layer, banned), [], "{layer}");
    }
}

#[test]
fn decisions_and_builders_are_synchronous() {
    let pure = |module: &str| {
        let step = module.rsplit("::").next().unwrap_or_default();
        let in_controller = starts(module, "controllers") && ["validate", "decide", "status", "memory", "conditions"].contains(&step);
        in_controller || ["domain", "resources", "traffic"].iter().any(|layer| starts(module, layer))
    };
    let files = source();
    assert!(files.iter().filter(|file| pure(&file.module)).count() > 20);
    let asynchronous: Vec<&str> =
        files.iter().filter(|file| pure(&file.module) && file.asynchronous).map(|file| file.module.as_str()).collect();
    assert_eq!(asynchronous, Vec::<&str>::new());
}

/// Which top-level modules each mentions.
fn graph(files: &[File]) -> BTreeMap<String, BTreeSet<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let from = file.module.split("::").next().unwrap().to_owned();
        let to = file.paths.iter().filter_map(|path| path.strip_prefix("crate::")).filter_map(|path| path.split("::").next());
        let to: BTreeSet<String> = to.map(str::to_owned).filter(|to| *to != from).collect();
        graph.entry(from).or_default().extend(to);
    }
    graph
}

/// A circle in the graph, if there is one.
fn circle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(graph: &BTreeMap<String, BTreeSet<String>>, at: &str, trail: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        if let Some(place) = trail.iter().position(|seen| seen == at) {
            trail.drain(..place);
            return true;
        }
        if done.contains(at) {
            return false;
        }
        trail.push(at.to_owned());
        for next in graph.get(at).into_iter().flatten() {
            if walk(graph, next, trail, done) {
                return true;
            }
        }
        trail.pop();
        done.insert(at.to_owned());
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| {
        let mut trail = Vec::new();
        walk(graph, start, &mut trail, &mut done).then_some(trail)
    })
}

#[test]
fn no_import_goes_round_in_a_circle() {
    assert_eq!(circle(&graph(&source())), None);
}

#[test]
fn files_and_functions_stay_small_enough_to_be_read() {
    let files = source();
    let long: Vec<(&str, usize)> = files.iter().filter(|file| file.lines > 600).map(|file| (file.module.as_str(), file.lines)).collect();
    assert_eq!(long, Vec::<(&str, usize)>::new());
    let functions = files.iter().filter(|file| file.longest_function.1 > 70).map(|file| (file.module.as_str(), &file.longest_function));
    let functions: Vec<_> = functions.collect();
    assert_eq!(functions, []);
}

#[test]
fn planted_violations_are_found() {
    let file = |module: &str, text: &str| read_file(module.to_owned(), text);
    let files = [
        file("domain::size", "use std::{fmt, collections::BTreeMap};\nfn f() { let _ = kube::Client::new; }"),
        file("sim::store", "use crate::{api::Model, sim::draw};"),
        file("api", "mod inner { use super::super::domain; }\n#[cfg(test)]\nmod tests { use crate::sim::store; }"),
        file("cli::run", "use crate::sim::cluster as c;\nuse super::super::runtime::*;"),
    ];
    assert_eq!(broken(&files, "domain", &["kube"]), [("domain::size", "kube::Client::new")]);
    assert_eq!(broken(&files, "sim", &["crate::api"]), [("sim::store", "crate::api::Model")]);
    assert_eq!(broken(&files, "api", &["crate::sim"]), [], "test code may");
    let edges = |text: &[(&str, &str)]| {
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in text {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert!(circle(&edges(&[("a", "b"), ("b", "c"), ("c", "b")])).is_some());
    assert!(file("x", "async fn f() {}").asynchronous);
    assert_eq!(file("x", "fn f() {\n\n}").longest_function.1, 3);
}
