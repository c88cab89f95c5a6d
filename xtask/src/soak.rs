//! `cargo xtask soak`: the same dom0 boot again and again, to find what happens rarely.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::boots::Trial;
use crate::build;
use crate::dom0;
use crate::run::Host;
use crate::setup::{self, Need};

/// What `soak` takes.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// Boots
    #[arg(default_value_t = 20)]
    pub count: u32,
    /// CPUs
    #[arg(long, default_value_t = 2)]
    pub smp: u32,
    /// On the real Xen 4.20
    #[arg(long)]
    pub xen: bool,
}

/// Boots dom0 `count` times; fails if any boot failed.
pub fn soak(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Qemu])?;
    let dom0 = dom0::ensure()?;
    let host = if args.xen { Host::Xen } else { Host::Xenios };
    if host == Host::Xenios {
        build::image(false)?;
    }
    let trial = Trial {
        smp: args.smp,
        mode: "boot",
        ..Trial::USUAL
    };
    let mut failed = 0;
    for number in 1..=args.count {
        let start = Instant::now();
        let result = trial.go(&format!("soak-{number}"), host, &dom0);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(remark) => println!("boot {number:>3}: passed, {seconds:.1} s, {remark}"),
            Err(why) => {
                failed += 1;
                println!("boot {number:>3}: FAILED, {seconds:.1} s: {why:#}");
            }
        }
    }
    println!("{} passed, {failed} failed", args.count - failed);
    if failed > 0 {
        bail!(
            "{failed} of {} boots failed; their consoles are in target/xtask/logs/soak-*.log",
            args.count
        );
    }
    Ok(())
}
