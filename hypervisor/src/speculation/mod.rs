//! Measures against speculative execution: what the processor is open to, and what is done.
//!
//! Owns no state. [`Facts`] are read from CPUID once, on the boot CPU; [`choose`] is a function
//! of them and of the command line alone; the machine carries the result out.

mod choice;
mod facts;
mod report;
#[cfg(test)]
mod tests;

pub use choice::{Choice, choose};
pub use facts::{Facts, Vendor};

use crate::cmdline::Options;
use crate::hv::Hypervisor;
use crate::log;
use machine::boot::Handover;

/// Chooses, applies and reports. Before any guest runs.
pub fn start(handover: &mut Handover, hv: &Hypervisor, options: &Options) {
    let facts = Facts::read(&handover.cpu);
    let mut choice = choose(&facts, options);
    if !handover.apply_measures(&choice.measures) {
        choice.measures.xpti_control = false;
        choice.measures.xpti_others = false;
        log!(
            hv,
            Error,
            "No memory for XPTI: guests can read the hypervisor's memory"
        );
    }
    report::print(hv, &facts, &choice);
}
