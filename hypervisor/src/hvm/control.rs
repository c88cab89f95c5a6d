//! Control registers and EFER as guests may set them.

use super::HvmVcpu;
use crate::cpu_policy::Policy;
use machine::hvm::{HvmApi, Reg, Seg, Segment};
use xen_abi::arch_x86::cpufeatureset::*;

/// CR0.
pub const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
/// Supervisor's writes heed read-only pages.
pub const CR0_WP: u64 = 1 << 16;
const CR0_NW: u64 = 1 << 29;
const CR0_CD: u64 = 1 << 30;
/// Paging.
pub const CR0_PG: u64 = 1 << 31;
/// PE, MP, EM, TS, ET, NE, WP, AM, NW, CD, PG.
const CR0_KNOWN: u64 = 0xe005_003f;

/// 4 MiB pages.
pub const CR4_PSE: u64 = 1 << 4;
/// Entries of 64 bits.
pub const CR4_PAE: u64 = 1 << 5;
const CR4_PGE: u64 = 1 << 7;
/// FSGSBASE instructions.
pub const CR4_FSGSBASE: u64 = 1 << 16;
/// No SGDT and the like by users.
const CR4_UMIP: u64 = 1 << 11;
/// XSAVE.
pub const CR4_OSXSAVE: u64 = 1 << 18;
/// No execution of users' pages.
pub const CR4_SMEP: u64 = 1 << 20;
/// No access to users' pages.
pub const CR4_SMAP: u64 = 1 << 21;
/// VME, PVI, TSD, DE, PSE, PAE, MCE, PGE, PCE, OSFXSR, OSXMMEXCPT.
const CR4_BASIC: u64 = 0x7ff;

const SCE: u64 = 1;
const LME: u64 = 1 << 8;
/// Long mode.
pub const LMA: u64 = 1 << 10;
/// No-execute.
pub const NXE: u64 = 1 << 11;
const FFXSR: u64 = 1 << 14;

/// Bits of CR4 that a guest may set whose processor is `policy`.
pub fn cr4_of(policy: &Policy) -> u64 {
    let features = policy.features();
    let mut allowed = CR4_BASIC;
    for (feature, bit) in [
        (XEN_X86_FEATURE_XSAVE, CR4_OSXSAVE),
        (XEN_X86_FEATURE_FSGSBASE, CR4_FSGSBASE),
        (XEN_X86_FEATURE_SMEP, CR4_SMEP),
        (XEN_X86_FEATURE_SMAP, CR4_SMAP),
        (XEN_X86_FEATURE_UMIP, CR4_UMIP),
    ] {
        allowed |= if features.has(feature) { bit } else { 0 };
    }
    allowed
}

/// Whether a vCPU of such a processor can have these: CR0, CR4, EFER.
pub fn is_valid([cr0, cr4, efer]: [u64; 3], policy: &Policy) -> bool {
    let known = SCE | LME | LMA | NXE | FFXSR;
    let long = efer & LME != 0 && cr0 & CR0_PG != 0;
    cr0 & !CR0_KNOWN == 0
        && cr0 & (CR0_PE | CR0_PG) != CR0_PG
        && cr0 & (CR0_NW | CR0_CD) != CR0_NW
        && cr4 & !cr4_of(policy) == 0
        && efer & !known == 0
        && (efer & LMA != 0) == long
        && (!long || cr4 & CR4_PAE != 0)
}

impl HvmVcpu {
    /// Sets CR0. `false` is a #GP.
    pub fn set_cr0(&mut self, value: u64) -> bool {
        let old = self.state.get(Reg::Cr0);
        let value = value | CR0_ET;
        if value >> 32 != 0
            || value & (CR0_PE | CR0_PG) == CR0_PG
            || value & (CR0_NW | CR0_CD) == CR0_NW
        {
            return false;
        }
        let value = value & CR0_KNOWN;
        let mut efer = self.state.get(Reg::Efer);
        if value & !old & CR0_PG != 0 && efer & LME != 0 {
            let long_code = self.state.segment(Seg::Cs).attributes & Segment::L != 0;
            if self.state.get(Reg::Cr4) & CR4_PAE == 0 || long_code {
                return false;
            }
            efer |= LMA;
        }
        if old & !value & CR0_PG != 0 {
            if efer & LMA != 0 && self.is_64bit() {
                return false;
            }
            efer &= !LMA;
        }
        self.state.set(Reg::Efer, efer);
        self.state.set(Reg::Cr0, value);
        if (old ^ value) & (CR0_PG | CR0_WP | CR0_PE) != 0 {
            self.state.flush();
        }
        true
    }

    /// Sets CR4 within `allowed`. `false` is a #GP.
    pub fn set_cr4(&mut self, value: u64, allowed: u64) -> bool {
        let old = self.state.get(Reg::Cr4);
        let long = self.state.get(Reg::Efer) & LMA != 0;
        if value & !allowed != 0 || long && value & CR4_PAE == 0 {
            return false;
        }
        self.state.set(Reg::Cr4, value);
        if (old ^ value) & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP) != 0 {
            self.state.flush();
        }
        true
    }

    /// Sets EFER. `false` is a #GP.
    pub fn set_efer(&mut self, value: u64) -> bool {
        let old = self.state.get(Reg::Efer);
        let known = SCE | LME | LMA | NXE | FFXSR;
        let paging = self.state.get(Reg::Cr0) & CR0_PG != 0;
        if value & !known != 0 || paging && (old ^ value) & LME != 0 {
            return false;
        }
        self.state.set(Reg::Efer, value & !LMA | old & LMA);
        if (old ^ value) & NXE != 0 {
            self.state.flush();
        }
        true
    }
}
