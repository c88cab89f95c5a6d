//! From facts and the command line to measures. Pure.

use super::facts::{Facts, Vendor, caps};
use crate::cmdline::{self, Options};
use machine::measures::{Ibrs, Measures, Thunk};

/// Bits of SPEC_CTRL besides IBRS.
const STIBP: u64 = 1 << 1;
const SSBD: u64 = 1 << 2;
const BHI_DIS_S: u64 = 1 << 10;

/// Intel's Skylake and its kin, by model: their returns fall back on the indirect predictor
/// when the return stack is empty, so a retpoline's return can be steered.
const RETURNS_PREDICTED: [u32; 9] = [0x4e, 0x55, 0x5e, 0x66, 0x67, 0x8e, 0x9e, 0xa5, 0xa6];

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// For the machine.
    pub measures: Measures,
    /// Single-thread indirect branch predictors are on.
    pub stibp: bool,
    /// Speculative store bypass is disabled.
    pub ssbd: bool,
    /// Branch history of lower rings is not used.
    pub bhi_dis_s: bool,
}

/// Chooses.
pub fn choose(facts: &Facts, options: &Options) -> Choice {
    let told = &options.spec_ctrl;
    let (ibrs, thunk) = branches(facts, told);
    // Where the processor says so, and else only with what it is for.
    let stibp = facts.stibp && facts.stibp_always && told.ibrs != Some(false);
    let ssbd = facts.ssbd && told.ssbd == Some(true);
    let bhi_dis_s = facts.bhi_ctrl && ibrs == Ibrs::Always;
    let bit = |on: bool, bit: u64| if on { bit } else { 0 };
    let leaks =
        facts.vendor == Vendor::Intel && !facts.cap(caps::RDCL_NO) || facts.vendor == Vendor::Other;
    let measures = Measures {
        xpti_control: options.xpti.dom0.unwrap_or(leaks),
        xpti_others: options.xpti.domu.unwrap_or(leaks),
        thunk,
        ibrs,
        spec_ctrl: bit(stibp, STIBP) | bit(ssbd, SSBD) | bit(bhi_dis_s, BHI_DIS_S),
        ibpb: (facts.ibrsb || facts.ibpb) && told.ibpb != Some(false),
        // With SMEP a return is not predicted into what a guest can map: all of a 64-bit
        // guest's entries are harmless then.
        rsb_on_exit: told.rsb.unwrap_or(!facts.smep),
        rsb_on_switch: told.rsb != Some(false),
        verw: told.verw.unwrap_or(true) && verw_needed(facts),
    };
    Choice {
        measures,
        stibp,
        ssbd,
        bhi_dis_s,
    }
}

/// How indirect branches of the hypervisor keep out of a guest's hands.
fn branches(facts: &Facts, told: &cmdline::SpecCtrl) -> (Ibrs, Thunk) {
    let can = facts.ibrsb || facts.ibrs;
    let allowed = told.ibrs != Some(false);
    let enhanced = facts.ibrsb && facts.cap(caps::IBRS_ALL);
    let unsafe_returns = facts.cap(caps::RSBA)
        || facts.cap(caps::RRSBA)
        || facts.vendor == Vendor::Intel
            && facts.family == 6
            && RETURNS_PREDICTED.contains(&facts.model);
    let ibrs = if allowed && facts.auto_ibrs {
        Ibrs::Automatic
    } else if allowed && enhanced {
        Ibrs::Always
    } else if can && (told.ibrs == Some(true) || allowed && (unsafe_returns || !facts.thunks)) {
        Ibrs::OnExit
    } else {
        Ibrs::Off
    };
    let thunk = match told.thunk {
        Some(cmdline::Thunk::Retpoline) => Thunk::Retpoline,
        Some(cmdline::Thunk::Lfence) => Thunk::Lfence,
        Some(cmdline::Thunk::Jmp) => Thunk::Jmp,
        None if ibrs == Ibrs::Off => Thunk::Retpoline,
        None => Thunk::Jmp,
    };
    (ibrs, thunk)
}

/// Whether buffers leak what the hypervisor left in them, and VERW clears them.
fn verw_needed(facts: &Facts) -> bool {
    match facts.vendor {
        Vendor::Intel => {
            let mds = !facts.cap(caps::MDS_NO);
            let taa = facts.rtm && !facts.cap(caps::TAA_NO);
            let stale = facts.cap(caps::FB_CLEAR);
            let files = facts.cap(caps::RFDS_CLEAR) && !facts.cap(caps::RFDS_NO);
            facts.md_clear && (mds || taa) || stale || files
        }
        Vendor::Amd => facts.verw_clear && !facts.tsa_no,
        Vendor::Other => false,
    }
}
