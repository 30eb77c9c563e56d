//! One copy of texts that many objects share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Texts that somebody still holds.
#[derive(Debug, Default)]
pub struct Interner(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    texts: BTreeSet<Arc<str>>,
    /// At so many texts it is looked for those that nobody holds any more.
    sweep_at: usize,
}

/// Fewer texts than this are never swept.
const SWEEP_MIN: usize = 64;

impl Interner {
    /// The one copy of `text`.
    pub fn intern(&self, text: &str) -> Arc<str> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = kept.texts.get(text) {
            return Arc::clone(there);
        }
        if kept.texts.len() >= kept.sweep_at.max(SWEEP_MIN) {
            kept.texts.retain(|text| Arc::strong_count(text) > 1);
            // The work of a sweep is shared by as many new texts as it left.
            kept.sweep_at = kept.texts.len() * 2;
        }
        let new: Arc<str> = text.into();
        kept.texts.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_what_nobody_holds_is_forgotten() {
        let interner = Interner::default();
        let first = interner.intern("a");
        assert!(Arc::ptr_eq(&first, &interner.intern("a")));
        for number in 0..10_000 {
            interner.intern(&number.to_string());
        }
        assert!(interner.0.lock().unwrap().texts.len() <= SWEEP_MIN);
        assert!(Arc::ptr_eq(&first, &interner.intern("a")), "what is held stays");
    }
}
