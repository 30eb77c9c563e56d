//! What the driver needs to know about the pass that is running: did it write?
//!
//! The driver opens a scope around every pass; [`crate::kube_io::Writer`] notes each write in it. Outside of a pass a note
//! goes nowhere. A reconciler that spawns tasks of its own would lose the notes of those tasks: it must not.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

tokio::task_local! {
    static WRITES: Arc<AtomicU32>;
}

/// Notes that the running pass sent a request that may have changed the cluster.
pub fn note_write() {
    // An error means that no pass is running here: nobody counts.
    let _outside_of_a_pass = WRITES.try_with(|writes| writes.fetch_add(1, Ordering::Relaxed));
}

/// Counts the writes of one pass. The count survives a panic or a drop of the pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writes(Arc<AtomicU32>);

impl Writes {
    /// Runs `pass` and counts its writes here.
    pub(crate) async fn count<F: Future>(&self, pass: F) -> F::Output {
        WRITES.scope(Arc::clone(&self.0), pass).await
    }

    /// How many writes there were so far.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_are_counted_for_the_pass_that_made_them_only() {
        let (first, second) = (Writes::default(), Writes::default());
        let pass = |times: u32| async move {
            for _ in 0..times {
                note_write();
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(first.count(pass(3)), second.count(pass(1)));
        note_write();
        assert_eq!((first.get(), second.get()), (3, 1));
    }
}
