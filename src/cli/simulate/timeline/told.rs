//! What has been told, so that nothing is told again and again: a pod that crashes all day is one line, not a thousand.
//!
//! Takes lines with what makes two of them the same; gives those that say something new, the last one with a mark.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::cli::simulate::line::Line;

/// Something that has been over for so long is news again. Longer than the longest backoff of a kubelet.
const OVER: SignedDuration = SignedDuration::from_mins(10);

/// What makes a line the same as an earlier one, and how often it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usual {
    /// Lines about one object with the same text are the same.
    pub(super) about: String,
    /// See `about`.
    pub(super) text: String,
    /// How often it is told until it is left out.
    pub(super) times: u32,
}

impl Usual {
    /// A change may come twice: away and back again.
    pub(super) fn change(line: &Line) -> Self {
        Self { about: about(line), text: line.what.clone(), times: 2 }
    }

    /// A reason is told once, however its counts, names and times go on.
    pub(super) fn reason(line: &Line) -> Self {
        Self { about: about(line), text: without_details(&line.why), times: 1 }
    }

    /// Words of others are taken as they are.
    pub(super) fn words(line: &Line) -> Self {
        Self { about: about(line), text: format!("{}: {}", line.what, line.why), times: 2 }
    }
}

fn about(line: &Line) -> String {
    format!("{}/{}", line.namespace, line.object)
}

/// Words with digits are counts, names, times.
fn without_details(text: &str) -> String {
    let word = |word: &str| if word.contains(|letter: char| letter.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// When it was last seen, and how often it was told since it was over.
    seen: BTreeMap<(String, String), (SignedDuration, u32)>,
    /// The last reason by object.
    why: BTreeMap<String, String>,
    /// Kinds whose Events are told.
    custom: BTreeSet<(String, String)>,
}

impl Told {
    /// Events about this kind are told from now on.
    pub(super) fn add_custom(&mut self, api_version: String, kind: String) {
        self.custom.insert((api_version, kind));
    }

    /// Events about this kind are told.
    pub(super) fn is_custom(&self, api_version: &str, kind: &str) -> bool {
        self.custom.contains(&(api_version.to_owned(), kind.to_owned()))
    }

    /// The last reason told of an object is this.
    pub(super) fn has_said(&self, line: &Line) -> bool {
        self.why.get(&about(line)) == Some(&line.why)
    }

    /// Gives the line, unless the same has been told often enough and is not over yet.
    pub(super) fn unless_repeated(&mut self, mut line: Line, usual: &Usual) -> Option<Line> {
        let seen = self.seen.entry((usual.about.clone(), usual.text.clone())).or_insert((line.at, 0));
        if line.at - seen.0 > OVER {
            seen.1 = 0;
        }
        *seen = (line.at, seen.1 + 1);
        let (_, times) = *seen;
        let goes_on = usual.times == 1 && self.why.get(&usual.about).is_some_and(|why| without_details(why) == usual.text);
        if times > usual.times || goes_on {
            return None;
        }
        line.repetitions_left_out = usual.times > 1 && times == usual.times;
        if !line.why.is_empty() {
            self.why.insert(about(&line), line.why.clone());
        }
        Some(line)
    }
}
