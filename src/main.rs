//! The pingstate command; see `src/cli`.

fn main() -> std::process::ExitCode {
    pingstate::cli::main()
}
