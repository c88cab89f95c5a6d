//! What the processors can do, and the control registers that follow from it.
//!
//! Why unsafe: writes control registers. Read once on the boot CPU; the others are assumed to
//! be alike, as on every machine that one kernel runs on.

use super::io::{self, cpuid, cpuid_max, msr};
use crate::settings::Settings;
use spin::Once;

/// Features that the machine crate itself acts on.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Features {
    pub smep: bool,
    pub smap: bool,
    pub sysenter: bool,
    pub fsgsbase: bool,
    pub pcid: bool,
    pub invpcid: bool,
    pub xsave: bool,
    pub gigabyte_pages: bool,
    pub x2apic: bool,
    pub tsc_deadline: bool,
    /// There is a register for RDTSCP or RDPID.
    pub tsc_aux: bool,
    pub invariant_tsc: bool,
    pub hypervisor: bool,
    pub amd: bool,
    /// Bits of a machine address.
    pub physical_bits: u32,
}

static FEATURES: Once<Features> = Once::new();

/// The page attribute table as Xen's guests expect it: WB, WT, UC-, UC, WC, WP, UC, UC.
const PAT: u64 = 0x0000_0501_0007_0406;

const CR0: u64 = 0x8005_0033; // PG, AM, WP, NE, ET, MP, PE
const CR4_PAE: u64 = 1 << 5;
const CR4_MCE: u64 = 1 << 6;
/// CR4's bit for global translations.
pub const CR4_PGE: u64 = 1 << 7;
const CR4_FXSR: u64 = 1 << 9;
const CR4_XMM: u64 = 1 << 10;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_XSAVE: u64 = 1 << 18;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;

/// Reads CPUID, and leaves out what `settings` do without. Boot CPU, first of all.
pub fn detect(settings: &Settings) {
    FEATURES.call_once(|| {
        let (_, ebx0, _, _) = cpuid(0, 0);
        let (_, _, ecx1, edx1) = cpuid(1, 0);
        let (_, ebx7, ecx7, _) = cpuid_max(7, 0);
        let (_, _, _, edx81) = cpuid_max(0x8000_0001, 0);
        let (_, _, _, edx87) = cpuid_max(0x8000_0007, 0);
        let (eax88, ..) = cpuid_max(0x8000_0008, 0);
        Features {
            smep: settings.smep && ebx7 & 1 << 7 != 0,
            smap: settings.smap && ebx7 & 1 << 20 != 0,
            sysenter: edx1 & 1 << 11 != 0,
            fsgsbase: ebx7 & 1 << 0 != 0,
            pcid: ecx1 & 1 << 17 != 0,
            invpcid: ebx7 & 1 << 10 != 0,
            xsave: ecx1 & 1 << 26 != 0,
            gigabyte_pages: edx81 & 1 << 26 != 0,
            x2apic: ecx1 & 1 << 21 != 0,
            tsc_deadline: settings.tsc_deadline && ecx1 & 1 << 24 != 0,
            tsc_aux: edx81 & 1 << 27 != 0 || ecx7 & 1 << 22 != 0,
            invariant_tsc: edx87 & 1 << 8 != 0,
            hypervisor: ecx1 & 1 << 31 != 0,
            // "Auth" and "Hygo".
            amd: ebx0 == 0x6874_7541 || ebx0 == 0x6f67_7948,
            physical_bits: if eax88 & 0xff == 0 { 36 } else { eax88 & 0xff },
        }
    });
}

/// The features; all absent before [`detect`].
pub fn get() -> Features {
    FEATURES.get().copied().unwrap_or_default()
}

/// Sets the running CPU's control registers. The final page tables must be in use: WP and NX
/// hold from here on.
pub fn init_cpu() {
    let f = get();
    let mut cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_FXSR | CR4_XMM;
    for (have, bit) in [
        (f.fsgsbase, CR4_FSGSBASE),
        (f.xsave, CR4_XSAVE),
        (f.smep, CR4_SMEP),
        (f.smap, CR4_SMAP),
    ] {
        cr4 |= if have { bit } else { 0 };
    }
    // SAFETY: only features that CPUID reports; paging stays as it is; EFER keeps long mode
    // and adds NX and SYSCALL; PAT changes no entry in use (index 0 stays write-back, and
    // index 3 uncached).
    unsafe {
        core::arch::asm!("mov cr0, {}", in(reg) CR0, options(nostack));
        core::arch::asm!("mov cr4, {}", in(reg) cr4, options(nostack));
        io::wrmsr(msr::EFER, io::rdmsr(msr::EFER) | 1 << 11 | 1);
        io::wrmsr(msr::PAT, PAT);
    }
}
