//! Structured logs on standard error, stamped with the time of our clock.
//!
//! In a simulation the stamps are virtual, so that a log can be read beside the timeline.

use std::{fmt, sync::Arc};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
};

use crate::runtime::clock::Clock;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is no list of `target=level` or `level`.
    #[error("the log filter {filter:?} cannot be read")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is a logger already.
    #[error("logging is set up already")]
    SetUpAlready(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends the process's logs to standard error. `filter` is as in `RUST_LOG`: `info`, `modelward=debug,kube=warn`.
///
/// # Errors
/// When the filter cannot be read, or logging is set up already.
pub fn init(format: LogFormat, filter: &str, clock: Arc<dyn Clock>) -> Result<(), LogError> {
    let subscriber = subscriber(format, filter, clock, std::io::stderr)?;
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

/// A subscriber as [`init`] installs it, writing to `writer`.
///
/// # Errors
/// When the filter cannot be read.
pub fn subscriber<W>(
    format: LogFormat,
    filter: &str,
    clock: Arc<dyn Clock>,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter).map_err(|source| LogError::Filter { filter: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(writer).with_ansi(false).with_timer(ClockTime(clock));
    Ok(match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

struct ClockTime(Arc<dyn Clock>);

impl FormatTime for ClockTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:.3}", self.0.now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::runtime::clock::VirtualClock;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn line(format: LogFormat) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let clock = Arc::new(VirtualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let subscriber = subscriber(format, "info", clock, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(kind = "Model", "pass failed");
            tracing::debug!("not this");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn lines_carry_virtual_time_and_pass_the_filter() {
        let text = line(LogFormat::Text);
        assert!(text.starts_with("2026-01-01T00:00:00.000Z"), "{text}");
        assert!(text.contains("pass failed") && !text.contains("not this"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn json_lines_are_objects_with_flat_fields() {
        let value: serde_json::Value = serde_json::from_str(&line(LogFormat::Json)).unwrap();
        assert_eq!(value["kind"], "Model");
        assert_eq!(value["timestamp"], "2026-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let clock = Arc::new(crate::runtime::clock::SystemClock);
        let refused = subscriber(LogFormat::Text, "modelward=loud", clock, std::io::sink);
        assert!(matches!(refused, Err(LogError::Filter { .. })));
    }
}
