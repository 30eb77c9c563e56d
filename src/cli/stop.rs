//! How a verb that runs on is stopped: by SIGINT and SIGTERM.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::output::Failure;

/// Ready when the process is asked to stop. Must be called on a runtime with I/O; signals count from then on.
///
/// # Errors
/// When the system refuses to tell.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send, Failure> {
    let cannot = |error: std::io::Error| Failure::of("signals cannot be listened to", &error);
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
    })
}
