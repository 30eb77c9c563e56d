//! The files of a simulation: which are read, in which order, and what is in them.
//!
//! Takes paths of files and folders; gives the world, the objects that are applied at the start, and the objects of each file
//! that an event applies. A folder gives its `.yaml`, `.yml` and `.json` files in name order, not those of its folders. A file
//! that an event applies is not applied at the start, even when its folder was given.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::document::{self, Located};
use super::event::Action;
use super::place::{Place, Problem, Problems};
use super::scene::World;

/// A file that is larger is refused.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Everything that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// The world; the default one if no document is a world.
    pub world: World,
    /// Objects that are applied at the start, in order.
    pub objects: Vec<Located>,
    /// Objects of the files that events apply, by the place in the event that names the file.
    pub applied_later: BTreeMap<Place, Vec<Located>>,
}

/// Reads everything.
///
/// # Errors
/// All mistakes: files that cannot be read, documents that are no objects, worlds that are wrong.
pub fn read(paths: &[PathBuf]) -> Result<Sources, Problems> {
    let mut problems = Problems::new();
    let files = gather(&mut problems, paths);
    let mut documents = Vec::new();
    for file in &files {
        match read_file(file) {
            Ok(read) => documents.push((file.clone(), read)),
            Err(problem) => problems.push(problem),
        }
    }
    if documents.iter().all(|(_, read)| read.is_empty()) && problems.is_empty() {
        let named = paths.first().map_or_else(|| ".".to_owned(), |path| path.display().to_string());
        problems.push(Place::start_of(&named).problem("no document: there is nothing to play"));
    }
    let world = find_world(&documents, &mut problems);
    let applied_later = world.as_ref().map(|(file, world)| later(file, world, &mut problems)).unwrap_or_default();
    let events: BTreeSet<PathBuf> = applied_later.values().map(|(path, _)| path.clone()).collect();
    let start = documents.into_iter().filter(|(file, _)| !events.contains(&real(file))).flat_map(|(_, documents)| documents);
    let objects: Vec<Located> = start.filter(|document| !is_world(document)).collect();
    let applied_later: BTreeMap<Place, Vec<Located>> = applied_later.into_iter().map(|(place, (_, objects))| (place, objects)).collect();
    for object in objects.iter().chain(applied_later.values().flatten()) {
        check_object(object, &mut problems);
    }
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    Ok(Sources { world: world.map(|(_, world)| world).unwrap_or_default(), objects, applied_later })
}

/// The files of all paths, each once, in order.
fn gather(problems: &mut Problems, paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        match expand(path) {
            Ok(found) => files.extend(found.into_iter().filter(|file| seen.insert(real(file)))),
            Err(message) => problems.push(Place::start_of(&path.display().to_string()).problem(message)),
        }
    }
    files
}

fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    let about = fs::metadata(path).map_err(|error| format!("cannot be read: {error}; give a YAML file or a folder of them"))?;
    if !about.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|file| is_document(file)).collect();
    files.sort();
    if files.is_empty() { Err("has no .yaml, .yml or .json file".to_owned()) } else { Ok(files) }
}

fn is_document(file: &Path) -> bool {
    let known =
        file.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json"));
    known && file.is_file()
}

/// The same name for one file, however it was written.
fn real(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

fn read_file(file: &Path) -> Result<Vec<Located>, Problem> {
    let shown = file.display().to_string();
    let cannot = |message: String| Place::start_of(&shown).problem(message);
    let size = fs::metadata(file).map_err(|error| cannot(format!("cannot be read: {error}")))?.len();
    if size > FILE_BYTES_MAX {
        return Err(cannot(format!("has {size} bytes, at most {FILE_BYTES_MAX} are read")));
    }
    let text = fs::read_to_string(file).map_err(|error| cannot(format!("cannot be read: {error}")))?;
    document::parse(&shown, &text)
}

fn is_world(document: &Located) -> bool {
    document.text(&["kind"]) == super::KIND && document.text(&["apiVersion"]).starts_with("simulation.modelward.dev/")
}

fn find_world(documents: &[(PathBuf, Vec<Located>)], problems: &mut Problems) -> Option<(PathBuf, World)> {
    let mut worlds = documents.iter().flat_map(|(file, documents)| documents.iter().map(move |document| (file, document)));
    let (file, first) = worlds.find(|(_, document)| is_world(document))?;
    for (_, second) in worlds.filter(|(_, document)| is_world(document)) {
        problems.push(second.place.problem(format!("a second World: there is one at {}, give one of them", first.place)));
    }
    match World::read(first) {
        Ok(world) => Some((file.clone(), world)),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// The files that events apply, relative to the file of the world.
fn later(world_file: &Path, world: &World, problems: &mut Problems) -> BTreeMap<Place, (PathBuf, Vec<Located>)> {
    let folder = world_file.parent().unwrap_or_else(|| Path::new(""));
    let mut read = BTreeMap::new();
    for event in &world.events {
        let Action::Apply { file, place } = &event.action else { continue };
        let path = folder.join(file);
        match read_file(&path) {
            Ok(documents) if documents.is_empty() => problems.push(place.problem(format!("{} is empty", path.display()))),
            Ok(documents) => {
                if let Some(world) = documents.iter().find(|document| is_world(document)) {
                    problems.push(world.place.problem("an event cannot apply a World"));
                }
                read.insert(place.clone(), (real(&path), documents));
            }
            Err(problem) if problem.message.starts_with("cannot be read") => {
                problems.push(place.problem(format!("{} {}", path.display(), problem.message)));
            }
            Err(problem) => problems.push(problem),
        }
    }
    read
}

/// An object has apiVersion, kind and a name; the API server judges the rest.
fn check_object(document: &Located, problems: &mut Problems) {
    for field in ["apiVersion", "kind"] {
        if document.text(&[field]).is_empty() {
            problems.push(
                document.place_of(field).problem(format!("{field} is missing: every document is an object of Kubernetes or a World")),
            );
            return;
        }
    }
    if document.text(&["kind"]).ends_with("List") && document.get("items").is_some() {
        problems.push(document.place.problem("a List is not read: write its items as documents of their own"));
    } else if document.text(&["metadata", "name"]).is_empty() {
        problems.push(document.place_of("metadata.name").problem("metadata.name is missing: objects are applied by name"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is removed at the end of a test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("modelward-sources-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            for (file, text) in files {
                fs::write(path.join(file), text).unwrap();
            }
            Self(path)
        }

        fn read(&self) -> Result<Sources, Vec<String>> {
            let shorten = |problem: &Problem| problem.to_string().replace(&format!("{}/", self.0.display()), "");
            read(std::slice::from_ref(&self.0)).map_err(|problems| problems.iter().map(shorten).collect())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn object(name: &str) -> String {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
    }

    const WORLD: &str = "apiVersion: simulation.modelward.dev/v1alpha1\nkind: World\nspec:\n  events:\n  - {at: 1m, apply: b.yaml}\n";

    fn names(documents: &[Located]) -> Vec<&str> {
        documents.iter().map(|document| document.text(&["metadata", "name"])).collect()
    }

    #[test]
    fn a_folder_is_read_in_name_order_without_what_events_apply() {
        let a = format!("{}---\n{}", object("a1"), object("a2"));
        let folder =
            Folder::new("order", &[("c.yml", &object("c")), ("b.yaml", &object("b")), ("a.yaml", &a), ("w.yaml", WORLD), ("x.txt", "no")]);
        let sources = folder.read().unwrap();
        assert_eq!(names(&sources.objects), ["a1", "a2", "c"]);
        let later: Vec<&Vec<Located>> = sources.applied_later.values().collect();
        assert_eq!(names(later[0]), ["b"]);
        assert_eq!(sources.world.events.len(), 1);
    }

    #[test]
    fn without_a_world_the_default_one_is_played() {
        let folder = Folder::new("default", &[("a.yaml", &object("a"))]);
        assert_eq!(folder.read().unwrap().world, World::default());
    }

    #[test]
    fn all_mistakes_of_all_files_are_reported() {
        let folder = Folder::new(
            "mistakes",
            &[
                ("a.yaml", "kind: Pod\n"),
                ("c.yaml", "a: [\n"),
                ("d.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {labels: {}}\n"),
                ("v.yaml", WORLD),
                ("w.yaml", WORLD),
            ],
        );
        let problems = folder.read().unwrap_err();
        let places: Vec<&str> = problems.iter().filter_map(|problem| problem.split(": ").next()).collect();
        assert_eq!(places, ["a.yaml:1:1", "c.yaml:1:4", "d.yaml:3:1", "v.yaml:5:21", "w.yaml:1:1"], "{problems:#?}");
    }

    #[test]
    fn a_path_that_does_not_exist_is_reported() {
        let problems = read(&[PathBuf::from("/nowhere/at/all.yaml")]).unwrap_err();
        assert!(problems[0].to_string().contains("cannot be read"), "{problems:?}");
        let blank = Folder::new("blank", &[("a.yaml", "# nothing yet\n")]);
        assert!(blank.read().unwrap_err()[0].contains("there is nothing to play"));
        let folder = Folder::new("empty", &[]);
        assert!(folder.read().unwrap_err()[0].contains("has no .yaml"));
    }
}
