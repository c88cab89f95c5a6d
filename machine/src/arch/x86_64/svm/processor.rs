//! What the processor offers, and what each CPU needs before its first guest.
//!
//! Why unsafe: writes EFER and the address of the host's save area. A CPU's own pages are made
//! once and live for ever.

use super::super::io::{cpuid_max, msr, rdmsr, wrmsr};
use super::page::{Bytes, address, zeroed};
use crate::cpumask::MAX_CPUS;
use alloc::boxed::Box;
use spin::Once;

const SVME: u64 = 1 << 12;
const VM_CR: u32 = 0xc001_0114;
const VM_CR_DISABLED: u64 = 1 << 4;
const HSAVE_PA: u32 = 0xc001_0117;

/// What all CPUs have.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Address space identifiers, from 0 (the host's).
    pub asids: u32,
    /// The processor says where the next instruction is.
    pub next_rip: bool,
}

static FACTS: Once<Option<Facts>> = Once::new();

/// A CPU's pages.
struct Own {
    host: Box<Bytes<4096>>,
}

static OWN: [Once<Option<Own>>; MAX_CPUS] = [const { Once::new() }; MAX_CPUS];

/// What the processor has; `None` without AMD-V and nested paging, or when the firmware forbids
/// it.
pub fn facts() -> Option<Facts> {
    *FACTS.call_once(|| {
        let (_, _, ecx, _) = cpuid_max(0x8000_0001, 0);
        let (_, asids, _, edx) = cpuid_max(0x8000_000a, 0);
        let there = ecx & 1 << 2 != 0 && edx & 1 != 0 && asids > 2;
        // The register comes with AMD-V.
        let may = there && rdmsr(VM_CR) & VM_CR_DISABLED == 0;
        may.then_some(Facts {
            asids,
            next_rip: edx & 1 << 3 != 0,
        })
    })
}

/// Switches AMD-V on at the running CPU, which is `cpu`, the first time. Whether it is on.
pub fn ready(cpu: u32) -> bool {
    facts().is_some() && host(cpu).is_some()
}

/// Machine address of where the running CPU's own state goes while a guest is loaded.
pub fn host(cpu: u32) -> Option<u64> {
    let own = OWN.get(cpu as usize)?.call_once(|| {
        let save = Box::leak(zeroed::<Bytes<4096>>()?);
        let host = zeroed::<Bytes<4096>>()?;
        // SAFETY: the processor has AMD-V, as the caller asked; the page is the CPU's for ever.
        unsafe {
            wrmsr(msr::EFER, rdmsr(msr::EFER) | SVME);
            wrmsr(HSAVE_PA, address(save));
        }
        Some(Own { host })
    });
    own.as_ref().map(|own| address(&*own.host))
}
