//! What can be said of an analysis before a release needs it.
//!
//! [`probe`] says what to ask of the revision that serves, and what is known of it; [`foresight`] what its traffic could tell. Values in, values
//! out: asking is for others. Nothing of this keeps a release from going on.

pub mod foresight;
pub mod probe;
