//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    tenet::cli::main()
}
