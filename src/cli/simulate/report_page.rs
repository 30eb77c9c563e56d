//! The page of a play: one HTML file that needs nothing else.
//!
//! Takes a [`Recording`]; gives HTML with plots as inline SVG. No script, nothing that a browser would fetch, and every text
//! from outside escaped. The same recording gives the same bytes. Pure. A further section is one more function in [`page`].

mod analysis;
pub mod data;
mod marks;
mod page;
mod plot;
mod plots;
mod scale;
mod style;
mod text;

use self::data::Recording;

/// The page of a recorded play.
pub fn render(recording: &Recording) -> String {
    page::html(recording)
}
