//! The `modelward` program: parses the command line and calls the verb.

fn main() -> std::process::ExitCode {
    modelward::cli::main()
}
