//! Sets up, builds, runs, tests and measures Xenios: `cargo xtask help`.
#![forbid(unsafe_code)]

mod bench;
mod boots;
mod build;
mod compare;
mod differential;
mod dom0;
mod emulator;
mod fuzz;
mod guest;
mod host;
mod hosted;
mod iso;
mod mutants;
mod older;
mod overlay;
mod paths;
mod proc;
mod qemu;
mod run;
mod scenarios;
mod setup;
mod sim;
mod soak;
mod steps;
mod survey;
mod symbols;
mod test;
mod toolchain;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about)]
struct Cli {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    /// Check for, and install, everything the other commands need
    Setup,
    /// Build the hypervisor (target/xenios) and the guest kernels (target/guests)
    Build {
        /// Without optimisation
        #[arg(long)]
        debug: bool,
        /// The hypervisor only
        #[arg(long)]
        image_only: bool,
    },
    /// Boot dom0 in QEMU: a shell on a terminal, a demonstration without one
    Run(run::Args),
    /// Run the tests: host tests, guest kernels, dom0 boots
    Test(test::Args),
    /// Boot dom0 again and again
    Soak(soak::Args),
    /// Run the hypervisor under simulation: guests as scripts, by seeds (`cargo xtask sim --help`)
    #[command(disable_help_flag = true)]
    Sim {
        /// What the simulation is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Make deliberate bugs in a copy of the sources and let the simulation find each
    Mutants(mutants::Args),
    /// Measure operations in instructions, beside the real Xen and no hypervisor
    Bench(bench::Args),
    /// Compare what Linux says as dom0 on Xenios and on the real Xen
    Compare,
    /// Compare the instruction emulator with this machine's processor
    Differential(differential::Args),
    /// Give made-up inputs to parsers, the emulator and the hypercalls
    Fuzz(fuzz::Args),
    /// Run tests of `machine` under Miri, which knows undefined behaviour
    Miri(fuzz::MiriArgs),
    /// Make a CD (target/xtask/xenios.iso) that GRUB boots, from a BIOS or UEFI
    Iso {
        /// With the real Xen 4.20
        #[arg(long)]
        xen: bool,
    },
}

fn main() -> ExitCode {
    // `cargo xtask run -- --xen` and `cargo xtask run --xen` are the same.
    let args = std::env::args().filter(|arg| arg != "--");
    match act(Cli::parse_from(args).command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(command: Cmd) -> Result<()> {
    match command {
        Cmd::Setup => {
            setup::ensure(&setup::ALL)?;
            dom0::ensure()?;
            host::give_back()
        }
        Cmd::Build { debug, image_only } => {
            println!("{}", build::image(debug)?.display());
            if !image_only {
                build::guests()?;
            }
            Ok(())
        }
        Cmd::Run(args) => run::run(&args),
        Cmd::Test(args) => test::test(&args),
        Cmd::Soak(args) => soak::soak(&args),
        Cmd::Mutants(args) => mutants::mutants(&args),
        Cmd::Sim { args } => sim::run(&args),
        Cmd::Bench(args) => bench::bench(&args),
        Cmd::Compare => compare::compare(),
        Cmd::Differential(args) => differential::run(&args),
        Cmd::Fuzz(args) => fuzz::fuzz(&args),
        Cmd::Miri(args) => fuzz::miri(&args),
        Cmd::Iso { xen } => {
            println!("{}", run::iso(xen)?.display());
            Ok(())
        }
    }
}
