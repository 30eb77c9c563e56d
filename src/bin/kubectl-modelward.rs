//! The same program under the name that kubectl looks for: `kubectl modelward VERB`.

fn main() -> std::process::ExitCode {
    modelward::cli::main()
}
