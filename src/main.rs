//! The `portcullis` program: reads its command line, does what it says, exits with its outcome.

use clap::Parser;

fn main() -> std::process::ExitCode {
    portcullis::cli::Cli::parse().run()
}
