//! `brokerlab`: the laboratory on the command line. Everything is in [`brokerlab_sim::cli`].

fn main() -> std::process::ExitCode {
    brokerlab_sim::cli::main()
}
