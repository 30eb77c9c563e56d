//! The command line: one file per verb, one way to fail.
//!
//! Data goes to standard output, talk to standard error. Exit status 0: done; 1: failed, or an expectation was not met; 2: wrong
//! usage. An error says what was expected, what was found and what to do; never a backtrace.

pub mod cluster;
pub mod connect;
pub mod crds;
pub mod embedded;
pub mod operator;
pub mod output;
pub mod preflight;
pub mod simulate;
pub mod stop;
pub mod version;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::output::{Failure, Output};

/// Releases AI models on Kubernetes: step by step, judged by their numbers, taken back with a record of why.
#[derive(Debug, Parser)]
#[command(name = "modelward", version, arg_required_else_help = true, max_term_width = 120, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Simulate(simulate::Arguments),
    Cluster(cluster::Arguments),
    Operator(operator::Arguments),
    Preflight(preflight::Arguments),
    Crds(CrdsArguments),
    Version(version::Arguments),
}

/// Print the CustomResourceDefinitions.
///
/// To install them: modelward crds | kubectl apply --server-side -f -
#[derive(Debug, Args)]
struct CrdsArguments {
    /// Write one file per kind into this folder instead, and print their paths.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// Runs the verb that the command line names and returns its exit status.
pub fn main() -> ExitCode {
    run(std::env::args_os().collect(), &mut Output::standard())
}

fn run(arguments: Vec<OsString>, output: &mut Output) -> ExitCode {
    let command = CommandLine::command().bin_name(called_as(&arguments));
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| CommandLine::from_arg_matches(&matches));
    let result = match parsed {
        Ok(line) => dispatch(line.verb, output),
        Err(error) => {
            // What clap prints goes where it belongs by itself: help to standard output, mistakes to standard error.
            let _closed = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.fail(&failure),
    }
}

/// kubectl finds plugins by the name of their file; help then says how they are called.
fn called_as(arguments: &[OsString]) -> &'static str {
    let file = arguments.first().map(PathBuf::from);
    let name = file.as_deref().and_then(|file| file.file_stem()).and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with("kubectl-") { "kubectl modelward" } else { "modelward" }
}

fn dispatch(verb: Verb, output: &mut Output) -> Result<(), Failure> {
    match verb {
        Verb::Simulate(arguments) => simulate::run(&arguments, output),
        Verb::Cluster(arguments) => cluster::run(&arguments, output),
        Verb::Operator(arguments) => operator::run(&arguments),
        Verb::Preflight(arguments) => preflight::run(&arguments, output),
        Verb::Crds(arguments) => print_crds(&arguments, output),
        Verb::Version(arguments) => version::run(&arguments, output),
    }
}

fn print_crds(arguments: &CrdsArguments, output: &mut Output) -> Result<(), Failure> {
    match &arguments.output_dir {
        None => {
            let mut text = Vec::new();
            crds::print(&mut text).map_err(|error| Failure::of("the CRDs cannot be printed", &error))?;
            output.data(&String::from_utf8_lossy(&text))
        }
        Some(folder) => {
            let written = crds::write_files(folder).map_err(|error| Failure::of("the CRDs cannot be written", &error))?;
            written.iter().try_for_each(|path| output.line(&path.display().to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_verb_and_argument_says_what_it_does() {
        for verb in CommandLine::command().get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
            for argument in verb.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", verb.get_name(), argument.get_id());
            }
        }
    }

    #[test]
    fn the_program_knows_that_it_is_a_plugin() {
        assert_eq!(called_as(&["/usr/bin/kubectl-modelward".into()]), "kubectl modelward");
        assert_eq!(called_as(&["target/debug/modelward".into()]), "modelward");
    }

    #[test]
    fn crds_are_printed_as_documents() {
        let (mut output, text) = Output::captured();
        print_crds(&CrdsArguments { output_dir: None }, &mut output).expect("printing to memory");
        drop(output);
        assert_eq!(text.stdout().matches("kind: CustomResourceDefinition").count(), crate::api::crds().len());
    }
}
