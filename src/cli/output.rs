//! Where verbs write, and how they fail.
//!
//! Takes text; gives it to standard output (data) or standard error (talk). A reader that went away is no failure: what was
//! asked for has been printed as far as somebody wanted it.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use super::simulate::line::Style;

/// Why a verb failed.
#[derive(Debug)]
pub enum Failure {
    /// It failed; lines for people.
    Failed(Vec<String>),
    /// It worked, and what it found is not as it should be; said already.
    NotMet,
    /// Nobody reads what is printed any more.
    Closed,
}

impl Failure {
    /// A failure in one sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Failed(vec![message.into()])
    }

    /// A failure with an error and what caused it.
    pub fn of(what: &str, error: &dyn Error) -> Self {
        Self::new(format!("{what}: {}", chain(error)))
    }
}

/// An error with all its causes in one line, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Standard output and standard error of one run.
pub struct Output {
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    style: Style,
}

impl Output {
    /// Those of the process. Coloured on a terminal, unless `NO_COLOR` is set.
    pub fn standard() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let coloured = io::stdout().is_terminal() && !no_colour && !dumb;
        let style = if coloured { Style::Coloured } else { Style::Plain };
        Self { stdout: Box::new(io::BufWriter::new(io::stdout())), stderr: Box::new(io::stderr()), style }
    }

    /// Keeps everything in memory, without colours.
    pub fn captured() -> (Self, Captured) {
        let captured = Captured::default();
        let output = Self {
            stdout: Box::new(Sink(Arc::clone(&captured.stdout))),
            stderr: Box::new(Sink(Arc::clone(&captured.stderr))),
            style: Style::Plain,
        };
        (output, captured)
    }

    /// How text may look.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Prints data as it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        written(self.stdout.write_all(text.as_bytes()))
    }

    /// Prints one line of data.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        written(writeln!(self.stdout, "{text}"))
    }

    /// Prints everything that waits in a buffer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        written(self.stdout.flush())
    }

    /// Says something to the person who runs the program. That nobody listens is no reason to stop.
    pub fn say(&mut self, text: &str) {
        let _unheard = writeln!(self.stderr, "{text}");
    }

    /// Says why a verb failed and gives the exit status.
    pub fn fail(&mut self, failure: &Failure) -> ExitCode {
        let _flushed = self.stdout.flush();
        match failure {
            Failure::Closed => return ExitCode::SUCCESS,
            Failure::NotMet => {}
            Failure::Failed(lines) => lines.iter().for_each(|line| self.say(&format!("error: {line}"))),
        }
        ExitCode::from(1)
    }
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::of("standard output cannot be written", &error),
    })
}

/// What was printed to memory.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Captured {
    /// The data.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// The talk.
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_said_with_their_causes_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the file cannot be read")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::new(io::ErrorKind::NotFound, "no such file"));
        let (mut output, text) = Output::captured();
        output.fail(&Failure::of("nothing done", &error));
        assert_eq!(text.stderr(), "error: nothing done: the file cannot be read: no such file\n");
        assert_eq!(text.stdout(), "");
    }

    #[test]
    fn data_and_talk_are_kept_apart() {
        let (mut output, text) = Output::captured();
        output.line("data").expect("memory");
        output.say("talk");
        assert_eq!((text.stdout().as_str(), text.stderr().as_str()), ("data\n", "talk\n"));
    }
}
