//! One file per verb.

pub mod crds;
pub mod simulate;

/// Runs the verb that the command line names and returns its exit status.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
