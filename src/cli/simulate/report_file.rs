//! The file that `--report` asks for: tried before the play, written after it.
//!
//! Takes a path and a world; records the play as it goes, and puts the page in place as a whole: whoever opens the file sees
//! the old page or the new one, never half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::recording::{Labels, Recorder};
use super::report_page;
use crate::cli::output::Failure;
use crate::resources::labels;
use crate::sim::world::play::Play;

/// What our pods are labelled with, and whose status has weights.
const LABELS: Labels = Labels {
    deployment: labels::DEPLOYMENT,
    version: labels::VERSION,
    revision: labels::REVISION,
    deployments: "modeldeployments.modelward.dev",
};
/// Names that are tried for the file that becomes the page.
const NAMES: usize = 100;

/// A path for `--report`, which must say that it is a page: what is there is replaced.
///
/// # Errors
/// Another ending than `.html`.
pub fn parse(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_page = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html") || ending.eq_ignore_ascii_case("htm"));
    if is_page {
        Ok(path)
    } else {
        Err("the report is an HTML page, and replaces a file that exists: give it a name that ends with .html".to_owned())
    }
}

/// See the module.
#[derive(Debug)]
pub struct ReportFile {
    /// As the user named it.
    shown: PathBuf,
    target: PathBuf,
    recorder: Arc<Mutex<Recorder>>,
}

impl ReportFile {
    /// Makes sure that the page can be written.
    ///
    /// # Errors
    /// When it cannot: the folder is missing or may not be written to, or something that is no file has that name.
    pub fn prepare(path: &Path) -> Result<Self, Failure> {
        // A link stays, and what it names is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let recorder = Recorder::new("", 0, Timestamp::UNIX_EPOCH, LABELS);
        let file = Self { shown: path.to_owned(), target, recorder: Arc::new(Mutex::new(recorder)) };
        if fs::metadata(&file.target).is_ok_and(|found| !found.is_file()) {
            return Err(file.failure(&"something that is no file has this name"));
        }
        let (_, tried) = file.beside().map_err(|error| file.failure(&error))?;
        fs::remove_file(tried).map_err(|error| file.failure(&error))?;
        Ok(file)
    }

    fn failure(&self, why: &dyn std::fmt::Display) -> Failure {
        Failure::new(format!("the report {} cannot be written: {why}", self.shown.display()))
    }

    /// Records this play from now on.
    pub fn follow(&self, world: &str, seed: u64, play: &mut Play) {
        *self.recorder() = Recorder::new(world, seed, play.start(), LABELS);
        let recorder = Arc::clone(&self.recorder);
        play.simulation.observe(Box::new(move |commit, _| lock(&recorder).notice(commit)));
    }

    /// What records.
    pub fn recorder(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    /// Writes the page of what was recorded.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<(), Failure> {
        let html = report_page::render(self.recorder().recording());
        let (mut file, temporary) = self.beside().map_err(|error| self.failure(&error))?;
        let written = file.write_all(html.as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| fs::rename(&temporary, &self.target)).map_err(|error| {
            let _nothing_to_save = fs::remove_file(&temporary);
            self.failure(&error)
        })
    }

    /// A new file in the folder of the page.
    fn beside(&self) -> io::Result<(File, PathBuf)> {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy();
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 0..NAMES {
            let path = self.target.with_file_name(format!(".{name}.{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

fn lock(recorder: &Mutex<Recorder>) -> MutexGuard<'_, Recorder> {
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_named_as_a_page() {
        assert_eq!(parse("a/b.html"), Ok(PathBuf::from("a/b.html")));
        assert!(parse("PAGE.HTM").is_ok());
        for wrong in ["world.yaml", "html", ".html", "", "page.html.bak"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
